"""What may be X and y, and the one sentence for what may not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array, dok_array

from albertkit.data.examples import TextExample
from albertkit.errors import DataError
from albertkit.estimators.inputs import InputError, classes_of, column_of, examples_of, numbers_of, texts_of

TEXTS = ["one two", "three", ""]
PAIRS = [("a", "b"), ("c", "d")]


@pytest.mark.parametrize(
    "X",
    [TEXTS, tuple(TEXTS), np.array(TEXTS), np.array(TEXTS, dtype=object), np.array(TEXTS)[:, None], iter(TEXTS)],
    ids=["list", "tuple", "array", "objects", "column", "iterator"],
)
def test_texts(X: Any) -> None:  # noqa: N803
    assert examples_of(X) == [TextExample(text) for text in TEXTS]
    assert all(type(example.text) is str for example in examples_of(np.array(TEXTS)))


@pytest.mark.parametrize(
    "X", [PAIRS, [list(pair) for pair in PAIRS], np.array(PAIRS), np.array(PAIRS, dtype=object)], ids=str
)
def test_pairs(X: Any) -> None:  # noqa: N803
    assert examples_of(X) == [TextExample("a", "b"), TextExample("c", "d")]


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_tables(library: str) -> None:
    tables = pytest.importorskip(library)
    assert examples_of(tables.Series(TEXTS)) == [TextExample(text) for text in TEXTS]
    assert examples_of(tables.DataFrame({"text": TEXTS})) == [TextExample(text) for text in TEXTS]
    both = tables.DataFrame({"left": ["a", "c"], "right": ["b", "d"]})
    assert examples_of(both) == [TextExample("a", "b"), TextExample("c", "d")]
    with pytest.raises(InputError, match="1 rows that cannot be read: row 1 has no text"):
        examples_of(tables.Series(["a", None, "b"]))


@pytest.mark.parametrize(
    ("X", "sentence"),
    [
        ("a text", r"X is one text; give a list of texts, such as \[text\]"),
        ({"a": 1}, "X is a dictionary"),
        (3.5, "X is 3.5, a float; give a list of texts"),
        (csr_array(np.eye(2)), "X is a sparse csr_array of numbers"),
        (dok_array(np.eye(2)), "X is a sparse dok_array of numbers"),
        (np.eye(3), "X has 3 columns; give one column of texts, or two columns for pairs"),
        (np.zeros((2, 2, 2)), r"X has the shape \(2, 2, 2\)"),
        (["a", None, "b", 7], r'X has 2 .*: row 1 has no text; row 3: "text" is 7, a int, not a text; repair'),
        (["a", float("nan")], "row 1 has no text"),
        (["a", b"b"], "row 1: \"text\" is b'b', a bytes, not a text"),
        (["a\ud800"], r'row 0: "text" holds U\+D800, half a surrogate pair'),
        ([("a", "b"), "c"], "row 1: a text, where the first is a pair"),
        (["c", ("a", "b")], "row 1: a pair, where the first is a text"),
        ([("a", "b", "c")], "row 0: 3 values, not a text or a pair of two"),
        ([None] * 9, "X has 9 rows .* and 4 more; repair or drop them"),
    ],
    ids=str,
)
def test_what_is_no_text(X: Any, sentence: str) -> None:  # noqa: N803
    with pytest.raises(InputError, match=sentence) as caught:
        examples_of(X)
    assert isinstance(caught.value, DataError)
    assert isinstance(caught.value, ValueError)
    assert "\n" not in str(caught.value)


def test_vectors_are_of_single_texts() -> None:
    assert texts_of(TEXTS) == TEXTS
    with pytest.raises(InputError, match="X holds pairs"):
        texts_of(PAIRS)


@pytest.mark.parametrize(
    ("y", "sentence"),
    [
        (None, "requires y to be passed, but the target y is None"),
        (["a", "b"], "X has 3 texts, but y has 2 values; each text needs one"),
        (np.zeros((3, 2)), "y cannot be read as one value a text"),
        ([1.0, float("nan"), 2.0], r"y contains NaN or gaps \(1 rows: row 1 is nan\)"),
        (["a", float("nan"), "b"], r"y contains NaN or gaps \(1 rows: row 1 is nan\)"),
        (["a", None, "b"], "row 1 is None"),
        ([1.0, float("inf"), 2.0], "row 1 is inf"),
    ],
    ids=str,
)
def test_what_is_no_target(y: Any, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        column_of(y, num_rows=3)


@pytest.mark.parametrize(("kind", "values"), [("Int64", [1, None, 2]), ("string", ["a", None, "b"])])
def test_gaps_of_pandas(kind: str, values: list[Any]) -> None:
    pandas = pytest.importorskip("pandas")
    with pytest.raises(InputError, match=r"row 1 is (nan|<NA>)"):
        column_of(pandas.Series(values, dtype=kind), num_rows=3)


def test_no_rows() -> None:
    assert examples_of([]) == []
    with pytest.raises(InputError, match="X has no rows"):
        column_of([], num_rows=0)


@pytest.mark.parametrize(
    ("y", "classes"),
    [([3, 1, 3], [1, 3]), (["no", "yes", "no"], ["no", "yes"]), ([True, False, True], [False, True])],
    ids=str,
)
def test_classes(y: list[Any], classes: list[Any]) -> None:
    found, numbers = classes_of(np.array(y))
    assert found.tolist() == classes
    assert found[numbers].tolist() == y


@pytest.mark.parametrize(
    ("y", "sentence"),
    [
        (np.array(["a", "a"]), "y has the one class 'a', but a classifier needs at least two"),
        (np.array([0.5, 1.5]), "Unknown label type"),
        (np.array(["a", 1], dtype=object), "y cannot be read as classes"),
    ],
    ids=str,
)
def test_what_are_no_classes(y: Any, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        classes_of(y)


def test_numbers() -> None:
    assert numbers_of(np.array([1, 2])).tolist() == [1.0, 2.0]
    with pytest.raises(InputError, match="for words take AlbertClassifier"):
        numbers_of(np.array(["a"]))
    with pytest.raises(InputError, match=r"y holds -1e\+39; numbers up to 1e\+18 can be learned"):
        numbers_of(np.array([1.0, -1e39]))
