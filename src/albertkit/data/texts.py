"""Texts as users hand them over in Python -> examples, or one sentence that names the rows that are none."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from albertkit.data.examples import TextExample
from albertkit.errors import DataError

_SURROGATE = re.compile("[\ud800-\udfff]")
_SHOWN = 5
"""Bad rows that a sentence names; the others are counted."""

_LABELS = frozenset({"label", "labels", "class", "target"})
"""Columns that hold no second text, whatever else is there."""


class InputError(DataError, ValueError):
    """Texts or targets that cannot be used; a ValueError, too, since that is what scikit-learn and its users catch."""


def checked_text(value: object, *, column: str) -> str:
    """Return a text of a row.

    >>> checked_text("fine", column="text")
    'fine'

    Raises:
        ValueError: not a string, or with half a surrogate pair; the sentence says which.
    """
    if not isinstance(value, str):
        found = "missing" if value is None else f"{value!r:.40}, a {type(value).__name__}, not a text"
        raise ValueError(f'"{column}" is {found}')
    lone = _SURROGATE.search(value)
    if lone:
        raise ValueError(f'"{column}" holds U+{ord(lone.group()):04X}, half a surrogate pair, which is not a character')
    return value


def is_gap(value: Any) -> bool:
    """Return whether a value is missing: None, NaN, or the NA of pandas.

    >>> is_gap(None), is_gap(float("nan")), is_gap("")
    (True, True, False)
    """
    try:
        return value is None or bool(value != value)  # NaN is not itself
    except (TypeError, ValueError):  # pandas' NA is neither true nor false, nor is an array
        return not isinstance(value, np.ndarray)


def examples_of(X: Any, *, name: str = "X") -> list[TextExample]:  # noqa: N803 - scikit-learn's name
    """Return what is in X: a text per row, or a pair of texts per row.

    >>> examples_of(["one", "two"])[1].text, examples_of([("one", "two")])[0].pair
    ('two', 'two')

    Args:
        X: a list, array or Series of texts; for pairs a list of tuples of two; or a table (pandas, polars, pyarrow,
            Hugging Face datasets) of one column of texts, or of two for pairs.
        name: what a message calls it.

    Raises:
        InputError: X is one text, or has another shape, or holds rows that are no texts; the sentence names them.
    """
    examples: list[TextExample] = []
    bad: list[str] = []
    first: TextExample | None = None
    for number, row in enumerate(_rows(X, name)):
        try:
            example = _example(row)
        except ValueError as error:
            bad.append(f"row {number}: {error}")
            continue
        if example is None:
            bad.append(f"row {number} has no text")
            continue
        first = first or example
        if (example.pair is None) != (first.pair is None):
            bad.append(f"row {number}: {_kind(example)}, where the first is {_kind(first)}")
        examples.append(example)
    if bad:
        raise InputError(f"{name} has {listed(bad, 'rows that cannot be read')}; repair or drop them (counted from 0)")
    return examples


def texts_of(X: Any, *, name: str = "X") -> list[str]:  # noqa: N803
    """Return the texts of X.

    Raises:
        InputError: see `examples_of`, or X holds pairs.
    """
    examples = examples_of(X, name=name)
    if examples and examples[0].pair is not None:
        raise InputError(f"{name} holds pairs of texts, but embedding takes one text per vector; give one column")
    return [example.text for example in examples]


def listed(found: Sequence[str], what: str) -> str:
    """Return a count with the first few of what was found.

    >>> listed(["row 1", "row 3"], "bad rows")
    '2 bad rows: row 1; row 3'
    """
    more = f" and {len(found) - _SHOWN:,} more" if len(found) > _SHOWN else ""
    return f"{len(found):,} {what}: {'; '.join(found[:_SHOWN])}{more}"


def _rows(X: Any, name: str) -> Iterable[Any]:  # noqa: N803
    if isinstance(X, str | bytes):
        raise InputError(f"{name} is one text; give a list of texts, such as [text]")
    shape = getattr(X, "shape", None)
    if hasattr(X, "tocsr"):
        raise InputError(f"{name} is a sparse {type(X).__name__} of numbers; give the texts themselves")
    columns = getattr(X, "column_names", None)
    if isinstance(X, Mapping):
        hint = ""
        if all(hasattr(value, "column_names") for value in X.values()) and X:  # a DatasetDict
            hint = f' of splits; give the texts of one, such as {name}["{next(iter(X))}"]["text"]'
        raise InputError(f"{name} is a dictionary{hint or '; give a list of texts'}")
    if isinstance(columns, list | tuple) and hasattr(X, "__getitem__"):
        return _rows_of_table(X, columns, name)
    if columns is not None:  # a stream of Hugging Face datasets, whose rows are dictionaries
        raise InputError(f'{name} is a {type(X).__name__}; give its texts, such as [row["text"] for row in {name}]')
    if shape is not None and len(shape) not in (1, 2):
        raise InputError(f"{name} has the shape {tuple(shape)}; give a list, array or column of texts, or two columns")
    if shape is not None and len(shape) == 2:
        if shape[1] not in (1, 2):
            raise InputError(f"{name} has {shape[1]} columns; give one column of texts, or two columns for pairs")
        _refuse_labels(getattr(X, "columns", ()), name)
        values = X.to_numpy() if hasattr(X, "to_numpy") else X
        return [row[0] for row in values] if shape[1] == 1 else [tuple(row) for row in values]
    try:
        return list(_values(X))
    except TypeError:
        raise InputError(f"{name} is {X!r:.40}, a {type(X).__name__}; give a list of texts") from None


def _rows_of_table(X: Any, columns: Sequence[str], name: str) -> Iterable[Any]:  # noqa: N803
    """Read the one or two columns of a table whose iteration does not give its rows' values."""
    if len(columns) not in (1, 2):
        there = ", ".join(f"{column!s:.40}" for column in columns[:20])
        raise InputError(
            f"{name} has {len(columns)} columns ({there}); give one column of texts, such as "
            f'{name}["{columns[0] if columns else "text"}"], or two columns for pairs'
        )
    _refuse_labels(columns, name)
    values = [list(_values(X[column])) for column in columns]
    return values[0] if len(columns) == 1 else list(zip(*values, strict=True))


def _refuse_labels(columns: Iterable[Any], name: str) -> None:
    label = next((column for column in columns if str(column).lower() in _LABELS), None)
    if label is not None:
        raise InputError(f'{name} has the column "{label}", which is not text; give only the columns of texts')


def _values(column: Any) -> Iterable[Any]:
    """pyarrow's columns iterate over scalars of its own, so they are asked for Python's values."""
    values: Iterable[Any] = column.to_pylist() if hasattr(column, "to_pylist") else column
    return values


def _example(row: Any) -> TextExample | None:
    """Return what is in a row; None where a text is missing."""
    if isinstance(row, tuple | list | np.ndarray) and len(row) != 2:
        raise ValueError(f"{len(row)} values, not a text or a pair of two")
    values = row if isinstance(row, tuple | list | np.ndarray) else (row,)
    if any(is_gap(value) for value in values):
        return None
    first, *second = (str(checked_text(value, column="text")) for value in values)  # NumPy's own str becomes Python's
    return TextExample(first, second[0] if second else None)


def _kind(example: TextExample) -> str:
    return "a text" if example.pair is None else "a pair"
