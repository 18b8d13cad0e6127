"""X and y as scikit-learn's users hand them over -> examples, classes, numbers; or one sentence that names the rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from albertkit.data.examples import TextExample
from albertkit.datasets.rows import checked_text
from albertkit.errors import DataError

_SHOWN = 5
"""Bad rows that a sentence names; the others are counted."""


class InputError(DataError, ValueError):
    """X or y cannot be used; a ValueError, too, since that is what scikit-learn and its users catch."""


def examples_of(X: Any) -> list[TextExample]:  # noqa: N803 - scikit-learn's name
    """Return what stands in X: a text a row, or a pair of texts a row.

    >>> examples_of(["one", "two"])[1].text, examples_of([("one", "two")])[0].pair
    ('two', 'two')

    Args:
        X: a list, array or Series of texts; or for pairs a list of tuples of two, or an array or table of two columns.

    Raises:
        InputError: X is one text, or has another shape, or holds rows that are no texts; the sentence names them.
    """
    examples: list[TextExample] = []
    bad: list[str] = []
    for number, row in enumerate(_rows(X)):
        try:
            examples.append(_example(row))
        except ValueError as error:
            bad.append(f"row {number}: {error}")
        else:
            if (examples[-1].pair is None) != (examples[0].pair is None):
                bad.append(f"row {number}: {_kind(examples[-1])}, where the first is {_kind(examples[0])}")
    if bad:
        raise InputError(f"X has {_listed(bad, 'rows that cannot be read')}; repair or drop them (counted from 0)")
    return examples


def texts_of(X: Any) -> list[str]:  # noqa: N803
    """Return the texts of X.

    Raises:
        InputError: as `examples_of`, or X holds pairs.
    """
    examples = examples_of(X)
    if examples and examples[0].pair is not None:
        raise InputError("X holds pairs of texts, but each text gets a vector of its own; give one column")
    return [example.text for example in examples]


def _rows(X: Any) -> Iterable[Any]:  # noqa: N803
    if isinstance(X, str | bytes):
        raise InputError("X is one text; give a list of texts, such as [text]")
    shape = getattr(X, "shape", None)
    if hasattr(X, "tocsr"):
        raise InputError(f"X is a sparse {type(X).__name__} of numbers; give the texts themselves")
    if isinstance(X, Mapping):
        raise InputError("X is a dictionary; give a list of texts")
    if shape is not None and len(shape) not in (1, 2):
        raise InputError(f"X has the shape {tuple(shape)}; give a list, array or column of texts, or two columns")
    if shape is not None and len(shape) == 2:
        if shape[1] not in (1, 2):
            raise InputError(f"X has {shape[1]} columns; give one column of texts, or two columns for pairs")
        values = X.to_numpy() if hasattr(X, "to_numpy") else X
        return [row[0] for row in values] if shape[1] == 1 else [tuple(row) for row in values]
    try:
        return list(X)
    except TypeError:
        raise InputError(f"X is {X!r:.40}, a {type(X).__name__}; give a list of texts") from None


def _example(row: Any) -> TextExample:
    if isinstance(row, tuple | list | np.ndarray):
        if len(row) != 2:
            raise ValueError(f"{len(row)} values, not a text or a pair of two")
        first, second = (_text(value) for value in row)
        return TextExample(first, second)
    return TextExample(_text(row))


def _text(value: Any) -> str:
    return str(checked_text(value, column="text"))  # str: NumPy's own kind of text becomes Python's


def _kind(example: TextExample) -> str:
    return "a text" if example.pair is None else "a pair"


def _listed(found: Sequence[str], what: str) -> str:
    more = f" and {len(found) - _SHOWN:,} more" if len(found) > _SHOWN else ""
    return f"{len(found):,} {what}: {'; '.join(found[:_SHOWN])}{more}"


def column_of(y: Any, *, num_rows: int) -> npt.NDArray[Any]:
    """Return y as an array `[rows]` without gaps.

    Args:
        y: a list, array or Series; one column of a table.
        num_rows: how many rows X has.

    Raises:
        InputError: y is left out, has another length or shape, or values that are missing.
    """
    from sklearn.utils.validation import column_or_1d

    if not num_rows:
        raise InputError("X has no rows; fit needs texts to learn from")
    if y is None:
        raise InputError("fit requires y to be passed, but the target y is None")
    try:
        column: npt.NDArray[Any] = column_or_1d(np.asarray(y), warn=True)
    except ValueError as error:
        raise InputError(f"y cannot be read as one value a text: {error}") from error
    if len(column) != num_rows:
        raise InputError(f"X has {num_rows:,} texts, but y has {len(column):,} values; each text needs one")
    bad = [f"row {number} is {value}" for number, value in enumerate(column.tolist()) if _is_missing(value)]
    if bad:
        raise InputError(f"Input y contains NaN or gaps ({_listed(bad, 'rows')}); drop these rows (counted from 0)")
    return column


def _is_missing(value: Any) -> bool:
    try:
        return value is None or bool(value != value) or value in (float("inf"), float("-inf"))  # NaN is not itself
    except TypeError:  # pandas' NA, which is neither true nor false
        return True


def classes_of(y: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    """Return the classes, sorted, `[classes]`, and the number of each row's class, `[rows]`.

    >>> classes_of(np.array(["b", "a", "b"]))[1].tolist()
    [1, 0, 1]

    Raises:
        InputError: fewer than two classes, or values that are no classes.
    """
    from sklearn.utils.multiclass import check_classification_targets

    try:
        check_classification_targets(y)
        classes, numbers = np.unique(y, return_inverse=True)
    except (ValueError, TypeError) as error:  # TypeError: words and numbers in one column cannot be sorted
        raise InputError(f"y cannot be read as classes: {error}") from error
    if len(classes) < 2:
        raise InputError(f"y has the one class {classes.tolist()[0]!r}, but a classifier needs two to tell apart")
    return classes, numbers.astype(np.int64)


def numbers_of(y: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return y as numbers.

    Raises:
        InputError: a value that is none.
    """
    try:
        return y.astype(np.float64)
    except (ValueError, TypeError) as error:
        raise InputError(f"y must hold numbers, for words take AlbertClassifier: {error}") from error
