"""X and y as scikit-learn's users hand them over -> examples, classes, numbers; or one sentence that names the rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from albertkit.data.texts import InputError as InputError
from albertkit.data.texts import examples_of as examples_of
from albertkit.data.texts import is_gap, listed
from albertkit.data.texts import texts_of as texts_of
from albertkit.datasets.labels import LARGEST


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
    values = y if isinstance(y, list) else column.tolist()  # among texts, NumPy turns a missing value into "nan"
    bad = [f"row {number} is {value}" for number, value in enumerate(values) if _is_missing(value)]
    if bad:
        raise InputError(f"Input y contains NaN or gaps ({listed(bad, 'rows')}); drop these rows (counted from 0)")
    return column


def _is_missing(value: Any) -> bool:
    return is_gap(value) or (isinstance(value, float) and value in (float("inf"), float("-inf")))


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
        raise InputError(f"y has the one class {classes.tolist()[0]!r}, but a classifier needs at least two")
    return classes, numbers.astype(np.int64)


def numbers_of(y: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return y as numbers.

    Raises:
        InputError: a value that is none.
    """
    try:
        numbers: npt.NDArray[np.float64] = y.astype(np.float64)
    except (ValueError, TypeError) as error:
        raise InputError(f"y must hold numbers, for words take AlbertClassifier: {error}") from error
    if np.abs(numbers).max(initial=0) > LARGEST:
        raise InputError(f"y holds {numbers[np.abs(numbers).argmax()]:g}; numbers up to {LARGEST:g} can be learned")
    return numbers
