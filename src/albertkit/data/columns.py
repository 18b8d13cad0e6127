"""The names of a table's columns: which ones hold the text, a second text and the label if the user names none."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from albertkit.errors import DataError, did_you_mean

PAIR_COLUMNS = (
    ("sentence1", "sentence2"),
    ("premise", "hypothesis"),
    ("question1", "question2"),
    ("question", "sentence"),
    ("sentence_a", "sentence_b"),
    ("text_a", "text_b"),
    ("text1", "text2"),
    ("text", "pair"),
    ("anchor", "positive"),
    ("query", "positive"),
)
"""Columns taken as a pair of texts where both are there and none was named, the first match first."""

TEXT_COLUMNS = ("text", "sentence", "review", "content", "snippet", "comment", "tweet", "document", "body")
"""Columns taken as the text where none was named and no pair of `PAIR_COLUMNS` is there."""

LABEL_COLUMNS = ("label", "labels", "class", "category", "sentiment", "target", "gold_label")
"""Columns taken as the label where none was named."""

POSITIVE, NEGATIVE = "positive", "negative"
"""Columns of the text that belongs to the first one, and (also with a number behind it) of texts that do not."""

_DEFAULTS = {"text": TEXT_COLUMNS, "label": LABEL_COLUMNS, "pair": ()}


@dataclass(frozen=True)
class Columns:
    """Which columns of a table of texts are read."""

    text: str
    kept: tuple[str, ...] = ()
    """The other columns of the pieces."""
    pair: str | None = None
    """That of `kept` which holds second texts, and so is checked as the first."""


def choose_texts(
    columns: Sequence[str],
    *,
    where: str,
    text_column: str | None = None,
    pair_column: str | None = None,
    trained: Mapping[str, str] | None = None,
) -> tuple[str, str | None]:
    """Return the columns of the text and of the second text; where neither is given those of the training, or those
    with usual names.

    Args:
        columns: those of the table.
        where: the file, as a message names it.
        text_column: that of the text, as the user named it.
        pair_column: that of the second text, as the user named it.
        trained: `text_column` and `pair_column` of the model's training; they count where the table has all of them.

    Raises:
        DataError: a column is not there, or none looks like a text.
    """
    lower = _by_lower(columns)
    text, pair = text_column, pair_column
    if text is None and pair is None and has_trained(columns, trained):
        text, pair = (trained or {}).get("text_column"), (trained or {}).get("pair_column")
    if text is None and pair is None:
        found = ((lower[a], lower[b]) for a, b in PAIR_COLUMNS if a in lower and b in lower)
        text, pair = next(found, (None, None))
    if text is None:
        text = next((lower[name] for name in TEXT_COLUMNS if name in lower and lower[name] != pair), None)
    if pair is not None:
        require_column(columns, pair, where=where, use="pair")
    return require_column(columns, text, where=where, use="text"), pair


def has_trained(columns: Sequence[str], trained: Mapping[str, str] | None) -> bool:
    """Return whether a table has the columns of texts that a model was trained on.

    >>> has_trained(["a", "b"], {"text_column": "a", "label_column": "c"}), has_trained(["a"], {})
    (True, False)
    """
    texts = [name for use, name in (trained or {}).items() if use != "label_column"]
    return bool(texts) and set(texts) <= set(columns)


def has_usual_text(columns: Sequence[str]) -> bool:
    """Return whether `choose_texts` finds a text by its usual names.

    >>> has_usual_text(["id", "Review"]), has_usual_text(["a", "b"])
    (True, False)
    """
    lower = _by_lower(columns)
    return any(name in lower for name in TEXT_COLUMNS) or any(a in lower and b in lower for a, b in PAIR_COLUMNS)


def choose_label(columns: Sequence[str], *, where: str, label_column: str | None = None) -> str | None:
    """Return the column of the label, by its usual names if none is given; None where no column has one.

    Raises:
        DataError: the column that the user named is not there.
    """
    if label_column is not None:
        return require_column(columns, label_column, where=where, use="label")
    lower = _by_lower(columns)
    return next((lower[name] for name in LABEL_COLUMNS if name in lower), None)


def choose_negatives(columns: Sequence[str]) -> tuple[str, ...]:
    """Return the columns of the texts that do not belong to the first one.

    >>> choose_negatives(["anchor", "positive", "Negative_1", "negative_2", "negatives"])
    ('Negative_1', 'negative_2')
    """
    return tuple(name for name in columns if re.fullmatch(rf"{NEGATIVE}(_?\d+)?", name.lower()))


def require_column(columns: Sequence[str], name: str | None, *, where: str, use: str) -> str:
    """Return a column's name.

    Args:
        columns: those of the table.
        name: what was chosen; None where nothing was found.
        where: the file, as a message names it.
        use: `text`, `pair` or `label`.

    Raises:
        DataError: there is no such column.
    """
    if name and name in columns:  # what has no name cannot be chosen
        return name
    there = f"there are: {named(columns)}"
    if name is None:
        raise DataError(
            f"{where}: no column for the {use} ({there}; looked for {', '.join(_DEFAULTS[use])}); give --{use}-column"
        )
    raise DataError(f'{where}: no column "{name}" for the {use} ({there}){did_you_mean(name, columns)}')


def refuse_doubles(columns: Sequence[str], *, where: str) -> None:
    """Refuse columns of which two have one name; columns without a name may be several.

    Raises:
        DataError: names them.
    """
    twice = sorted(f'"{name:.40}"' for name, count in Counter(columns).items() if count > 1 and name)
    if twice:
        raise DataError(f"{where}: column {', '.join(twice[:5])} occurs more than once; rename all but one")


def named(columns: Sequence[str], *, shown: int = 20) -> str:
    """Return the names of some columns for a message.

    >>> named(["text", "", "label"]), named([""])
    ('text, label', 'none')
    """
    names = [f"{name:.40}" for name in columns if name]
    more = f", ... ({len(names):,} in all)" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more or "none"


def _by_lower(columns: Sequence[str]) -> dict[str, str]:
    return {column.lower(): column for column in reversed(columns)}
