"""Mistake: an example whose prediction is wrong, as a report shows it."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass

MOST = 20
"""Mistakes that a report holds."""
LONGEST = 600
"""Characters of a text that a report holds."""


@dataclass(frozen=True)
class Mistake:
    """What was asked, what is right, and what the model said."""

    example: str
    """The example's own id, else its number in the split, from 0."""
    text: str
    """The text, or the question; a long one is cut."""
    expected: str
    predicted: str
    pair: str | None = None
    """The second text, or the context."""
    probability: float | None = None
    """The model's probability of its answer, in [0, 1]; None where it gives none."""


def worst(found: Iterable[tuple[float, Mistake]]) -> tuple[Mistake, ...]:
    """Return the mistakes of the highest severity, the worst first, their texts cut.

    >>> [one.example for one in worst([(1.0, Mistake("a", "", "", "")), (2.0, Mistake("b", "", "", ""))])]
    ['b', 'a']

    Args:
        found: severity and mistake.
    """
    chosen = heapq.nlargest(MOST, found, key=lambda each: each[0])
    return tuple(
        Mistake(
            one.example,
            _cut(one.text),
            _cut(one.expected),
            _cut(one.predicted),
            None if one.pair is None else _cut(one.pair),
            one.probability,
        )
        for _, one in chosen
    )


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} [...]"
