"""Sentence order: documents -> pairs of consecutive segments, swapped half the time (paper, section 3.1)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from albertkit.errors import UsageError

IntArray = npt.NDArray[np.int64]
TokenArray = npt.NDArray[Any]

SPECIALS = 3
"""[CLS] a [SEP] b [SEP]."""

LEAST_LENGTH = 8
"""Shortest sequence that may be asked for: two segments of two tokens and the special ones."""


class SegmentPair(NamedTuple):
    """Two segments that stand side by side in one document, in the order in which they are shown."""

    first: TokenArray
    """Tokens between [CLS] and the first [SEP]."""
    second: TokenArray
    """Tokens between the two [SEP]."""
    swapped: bool
    """Whether `first` comes after `second` in the document."""

    @property
    def length(self) -> int:
        """Tokens of the sequence, special ones included."""
        return len(self.first) + len(self.second) + SPECIALS


def segment_pairs(
    tokens: TokenArray,
    starts: IntArray,
    *,
    word_starts: npt.NDArray[np.bool_],
    max_length: int,
    short_share: float,
    random: np.random.Generator,
) -> Iterator[SegmentPair]:
    """Cut one document into chunks of whole sentences and each chunk into two segments.

    A chunk holds as many sentences as fit; it is divided between two sentences, drawn at random. A sentence that is
    alone in its chunk, or longer than one, is divided between two words: a segment never comes from another document, as it
    does in Google's code, where topic alone then gives the answer away. The first chunk of a document is shorter by a
    random part, so that chunks differ from epoch to epoch.

    Args:
        tokens: of the document, `[tokens]`, without special ones.
        starts: first token of each sentence and the end, `[sentences + 1]`.
        word_starts: for each piece of the vocabulary, whether a word starts with it.
        max_length: longest sequence in tokens, special ones included.
        short_share: share of chunks that get a shorter random length, so that short inputs are seen, too.
        random: where every choice comes from.

    Yields:
        Pairs in the order of the document. What is shorter than two tokens in all gives none.

    Raises:
        UsageError: `max_length` has no room for two segments.
    """
    if max_length < LEAST_LENGTH:
        raise UsageError(f"a length of {max_length} tokens has no room for two segments; give {LEAST_LENGTH} or more")
    most = max_length - SPECIALS
    budget = int(random.integers(most // 2, most + 1))
    sentence = 0
    position = int(starts[0])
    ends = starts[1:]
    while position < starts[-1]:
        last = int(np.searchsorted(ends, position + budget, side="right"))  # sentences before this one fit
        if last > sentence:
            boundaries = ends[sentence : last - 1]
            end = int(ends[last - 1])
        else:  # a sentence longer than the budget: as much of it as fits
            boundaries = ends[:0]
            end = _word_before(tokens, position, min(position + budget, int(starts[-1])), word_starts)
        middle = _middle(tokens, position, end, boundaries, word_starts, random)
        if middle is not None:
            first, second = tokens[position:middle], tokens[middle:end]
            swapped = bool(random.random() < 0.5)
            yield SegmentPair(second, first, True) if swapped else SegmentPair(first, second, False)
        position = end
        sentence = int(np.searchsorted(ends, position, side="right"))
        short = short_share and random.random() < short_share
        budget = int(random.integers(LEAST_LENGTH - SPECIALS, most + 1)) if short else most


def _word_before(tokens: TokenArray, start: int, end: int, word_starts: npt.NDArray[np.bool_]) -> int:
    """Return the last start of a word in `(start + 1, end]`, or `end` where there is none."""
    if end >= len(tokens):
        return end
    found = np.flatnonzero(word_starts[tokens[start + 2 : end + 1]])
    return start + 2 + int(found[-1]) if len(found) else end


def _middle(
    tokens: TokenArray,
    start: int,
    end: int,
    boundaries: IntArray,
    word_starts: npt.NDArray[np.bool_],
    random: np.random.Generator,
) -> int | None:
    if len(boundaries):
        return int(boundaries[random.integers(len(boundaries))])
    if end - start < 2:
        return None
    words = np.flatnonzero(word_starts[tokens[start + 1 : end]])
    if not len(words):
        return start + int(random.integers(1, end - start))
    return start + 1 + int(words[random.integers(len(words))])
