"""Texts as users hand them over in Python -> examples, or one sentence that names the rows that are none."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from albertkit.data.columns import LABEL_COLUMNS, choose_texts, has_trained, has_usual_text, named
from albertkit.data.examples import TextExample
from albertkit.data.frames import Frame, frame_of
from albertkit.errors import DataError

_SURROGATE = re.compile("[\ud800-\udfff]")
_SHOWN = 5
"""Bad rows that a sentence names; the others are counted."""

NO_TEXTS = frozenset({*LABEL_COLUMNS, "id"})
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


def examples_of(
    X: Any,  # noqa: N803 - scikit-learn's name
    *,
    name: str = "X",
    text_column: str | None = None,
    pair_column: str | None = None,
    trained: Mapping[str, str] | None = None,
) -> list[TextExample]:
    """Return what is in X: a text per row, or a pair of texts per row.

    >>> examples_of(["one", "two"])[1].text, examples_of([("one", "two")])[0].pair
    ('two', 'two')

    Args:
        X: a list, array or Series of texts; for pairs a list of tuples of two; or a table (pandas, polars, pyarrow,
            Hugging Face datasets). Of a table without the columns named below, one column is the texts, two are pairs
            unless one is a label, and of more the usual names are looked for.
        name: what a message calls it.
        text_column: of a table: the column of the (first) text.
        pair_column: of a table: the column of the second text.
        trained: of a table: as `choose_texts`.

    Raises:
        InputError: X is one text, or has another shape, or holds rows that are no texts; the sentence names them.
    """
    examples: list[TextExample] = []
    bad: list[str] = []
    first: TextExample | None = None
    for number, row in enumerate(_rows(X, name, text_column, pair_column, trained)):
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


def texts_of(X: Any, *, name: str = "X", text_column: str | None = None) -> list[str]:  # noqa: N803 - scikit-learn's name
    """Return the texts of X.

    Raises:
        InputError: see `examples_of`, or X holds pairs.
    """
    examples = examples_of(X, name=name, text_column=text_column)
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


def text_columns(
    frame: Frame,
    *,
    name: str,
    text_column: str | None = None,
    pair_column: str | None = None,
    trained: Mapping[str, str] | None = None,
) -> tuple[str, str | None]:
    """Return the columns of the text and of the second text, as `examples_of` chooses them.

    Raises:
        InputError: there is no such column, or none looks like a text.
    """
    names = frame.names
    if text_column is None and pair_column is None and not has_trained(names, trained):
        if len(names) == 1:
            return names[0], None
        if len(names) == 2 and not any(each.lower() in NO_TEXTS for each in names):
            return names[0], names[1]
        if not has_usual_text(names):
            example = f', such as {name}["{names[0]}"]' if names else ""
            raise InputError(
                f"{name} has {len(names)} columns ({named(names)}), and none has a usual name of a text; give the "
                f"column of the texts{example}"
            )
    try:
        return choose_texts(names, where=name, text_column=text_column, pair_column=pair_column, trained=trained)
    except DataError as error:
        raise InputError(str(error)) from error


def _rows(
    X: Any,  # noqa: N803 - scikit-learn's name
    name: str,
    text_column: str | None,
    pair_column: str | None,
    trained: Mapping[str, str] | None,
) -> Iterable[Any]:
    frame = frame_of(X, name=name)
    if frame is not None:
        text, pair = text_columns(frame, name=name, text_column=text_column, pair_column=pair_column, trained=trained)
        firsts = frame.column(text)
        return firsts if pair is None else list(zip(firsts, frame.column(pair), strict=True))
    if text_column is not None or pair_column is not None:
        raise InputError(f"{name} is a {type(X).__name__}, which has no columns; leave text_column and pair_column out")
    if isinstance(X, str | bytes):
        raise InputError(f"{name} is one text; give a list of texts, such as [text]")
    shape = getattr(X, "shape", None)
    if hasattr(X, "tocsr"):
        raise InputError(f"{name} is a sparse {type(X).__name__} of numbers; give the texts themselves")
    if isinstance(X, Mapping):
        hint = ""
        if all(hasattr(value, "column_names") for value in X.values()) and X:  # a DatasetDict
            hint = f' of splits; give the texts of one, such as {name}["{next(iter(X))}"]["text"]'
        raise InputError(f"{name} is a dictionary{hint or '; give a list of texts'}")
    if getattr(X, "column_names", None) is not None:  # a stream of Hugging Face datasets, whose rows are dictionaries
        raise InputError(f'{name} is a {type(X).__name__}; give its texts, such as [row["text"] for row in {name}]')
    if shape is not None and len(shape) not in (1, 2):
        raise InputError(f"{name} has the shape {tuple(shape)}; give a list, array or column of texts, or two columns")
    if shape is not None and len(shape) == 2:
        if shape[1] not in (1, 2):
            raise InputError(f"{name} has {shape[1]} columns; give one column of texts, or two columns for pairs")
        return [row[0] for row in X] if shape[1] == 1 else [tuple(row) for row in X]
    try:
        return list(_values(X))
    except TypeError:
        raise InputError(f"{name} is {X!r:.40}, a {type(X).__name__}; give a list of texts") from None


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
