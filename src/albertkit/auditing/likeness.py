"""Texts that are alike, and texts that are unlike all others."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from albertkit.io.vectors import unit

FloatArray = npt.NDArray[np.float32]

NEAR_COSINE = 0.9
"""Cosine from which two texts are candidates for duplicates."""
SHARED_WORDS = 0.8
"""Share of all their words that near-duplicates have in common: alike in meaning is not enough."""
NEIGHBOURS = 10
_BLOCK = 512
_WORD = re.compile(r"\w+")
_RANGES = 3.0
_FEWEST = 20  # rows whose quartiles mean something


def words_of(text: str) -> tuple[str, ...]:
    """Return the words of a text, without case and punctuation.

    >>> words_of("Don't stop, PLEASE!")
    ('don', 't', 'stop', 'please')
    """
    return tuple(_WORD.findall(text.casefold()))


class Alike(NamedTuple):
    """Two rows with equal or nearly equal texts."""

    row: int
    other: int
    """A later row."""
    same_words: bool


def compare_all(vectors: FloatArray, words: Sequence[tuple[str, ...]]) -> tuple[list[Alike], FloatArray]:
    """Compare every row with every other.

    Args:
        vectors: `[rows, dimensions]`.
        words: of each row, as `words_of`; rows without words are like no other.

    Returns:
        The pairs that are alike, and the mean cosine of each row to its nearest `NEIGHBOURS` others, `[rows]`. Of rows
        with equal words the first one speaks for all: each later one is paired with it.
    """
    first: dict[tuple[str, ...], int] = {}
    pairs = [Alike(first[own], row, True) for row, own in enumerate(words) if own and first.setdefault(own, row) != row]
    units = unit(vectors)
    means = np.ones(len(units), np.float32)
    near = min(NEIGHBOURS, len(units) - 1)
    for start in range(0, len(units), _BLOCK):
        cosines = units[start : start + _BLOCK] @ units.T
        own = np.arange(len(cosines))
        cosines[own, own + start] = -1
        if near > 0:
            means[start : start + _BLOCK] = np.partition(cosines, -near, axis=1)[:, -near:].mean(axis=1)
        for row, other in zip(*np.nonzero(cosines >= NEAR_COSINE), strict=True):
            one, two = start + int(row), int(other)
            if one < two and first.get(words[one]) == one and first.get(words[two]) == two:
                mine, theirs = set(words[one]), set(words[two])
                if len(mine & theirs) >= SHARED_WORDS * len(mine | theirs):
                    pairs.append(Alike(one, two, False))
    return pairs, means


def groups(pairs: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Return the rows that pairs join, each group in order.

    >>> groups([(1, 4), (7, 8), (4, 9)])
    [[1, 4, 9], [7, 8]]
    """
    joined: dict[int, list[int]] = {}
    for one, two in pairs:
        mine, theirs = joined.setdefault(one, [one]), joined.setdefault(two, [two])
        if mine is not theirs:
            mine.extend(theirs)
            joined.update((row, mine) for row in theirs)
    return sorted(sorted(group) for group in {id(group): group for group in joined.values()}.values())


def far_rows(means: FloatArray) -> list[int]:
    """Return the rows that are much less like their nearest rows than others are, the most unlike first.

    "Much" is Tukey's rule for far-out values: more than three interquartile ranges below the lower quartile.

    Args:
        means: as `compare_all` returns them.
    """
    if len(means) < _FEWEST:
        return []
    low, high = np.quantile(means, [0.25, 0.75])
    found = np.flatnonzero(means < low - _RANGES * (high - low))
    return [int(row) for row in found[np.argsort(means[found], kind="stable")]]
