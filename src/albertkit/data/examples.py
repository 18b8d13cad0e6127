"""What a row of a data set means. Torch is not needed here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TextExample:
    """A text, or a pair of texts, with what is to be told of it."""

    text: str
    """The (first) text."""
    pair: str | None = None
    """The second text of a pair."""
    label: int | float | tuple[int, ...] | None = None
    """Classification: index into the data set's labels. Regression: the number. Multi-label: indices, rising.
    None: not known (test files without labels)."""
    id: str | None = None
    """The row's own name in its file, where it has one."""
