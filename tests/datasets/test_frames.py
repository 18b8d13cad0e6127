"""Tables in memory are read as the same tables in files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from albertkit.datasets import load_dataset, open_data
from albertkit.errors import DataError, UsageError

pandas = pytest.importorskip("pandas")
ROWS = {"id": ["r1", "r2", "r3"], "review": ["a fine film", "dull", "so so"], "label": ["good", "bad", "bad"]}


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow", "datasets"])
def test_a_table_is_its_file(library: str, tmp_path: Path) -> None:
    module = pytest.importorskip(library)
    table = {"pyarrow": lambda: module.table(ROWS), "datasets": lambda: module.Dataset.from_dict(ROWS)}.get(
        library, lambda: module.DataFrame(ROWS)
    )()
    pandas.DataFrame(ROWS).to_csv(tmp_path / "rows.csv", index=False)
    found, expected = load_dataset(table), load_dataset(tmp_path / "rows.csv")
    assert list(found.examples) == list(expected.examples)
    assert (found.labels, found.task, found.metrics) == (expected.labels, expected.task, expected.metrics)
    assert found.name == type(table).__name__


def test_splits_by_name() -> None:
    frame = pandas.DataFrame(ROWS)
    source = open_data({"test": frame[["review"]], "validation": frame[:1], "train": frame})
    assert source.splits == ("train", "dev", "test")
    assert [len(source.split(name)) for name in ("train", "validation", "test")] == [3, 1, 3]
    assert source.split("test").examples[0].label is None
    with pytest.raises(UsageError, match=r'dict has no split "tset"; .* did you mean "test"'):
        source.split("tset")


@pytest.mark.parametrize(
    ("data", "options", "words"),
    [
        (
            pandas.DataFrame(ROWS),
            {"text_column": "reviews"},
            r'^DataFrame: no column "reviews" .* did you mean "review"',
        ),
        (pandas.DataFrame({"a": ["x"]}), {}, r"^DataFrame: no column for the text \(there are: a;"),
        (
            pandas.DataFrame({"text": ["a", None, 7], "label": ["x", "y", "z"]}),
            {},
            r'^DataFrame, row 1: "text" is missing \(and 1 more: row 2\); repair or drop such rows \(counted from 0\)',
        ),
        (
            pandas.DataFrame({"text": ["a", "b"], "label": ["x", float("nan")]}),
            {},
            r'row 1: the label in column "label" is missing',
        ),
        (pandas.DataFrame([["x", "y"]], columns=["a", "a"]), {}, 'column "a" occurs more than once'),
        (["a", "b"], {}, "^data is a list; give a known name, a path, a table"),
        ({"train": ["a"]}, {}, "^data is a list train; give a known name"),
        ({}, {}, "^dict is empty"),
    ],
    ids=str,
)
def test_tables_that_cannot_be(data: Any, options: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        load_dataset(data, **options)


def test_options_that_go_with_files() -> None:
    frame = pandas.DataFrame(ROWS)
    with pytest.raises(UsageError, match="encoding goes with files, but data is a DataFrame; leave it out"):
        load_dataset(frame, encoding="latin-1")
    with pytest.raises(DataError, match='DataFrame: no "context" and "question" and "answers"'):
        load_dataset(frame, task="question_answering")
    with pytest.raises(UsageError, match='text_column "review" works only with a table of texts, but DataFrame is for'):
        load_dataset(frame, task="multiple_choice", text_column="review")
    skipping = load_dataset(pandas.DataFrame({"text": ["a", None], "label": ["x", "y"]}), skip_bad_rows=True)
    assert len(skipping.skipped) == 1
