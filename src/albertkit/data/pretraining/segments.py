"""Sentence order: documents -> pairs of consecutive segments, swapped half the time (paper, section 3.1)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
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
    """Two segments that follow each other in one document, in the order that is shown; or only a first one."""

    first: TokenArray
    """Tokens between [CLS] and the first [SEP]."""
    second: TokenArray
    """Tokens between the two [SEP]; where it is empty, the sequence is `[CLS] first [SEP]`."""
    swapped: bool
    """Whether `first` comes after `second` in the document."""

    @property
    def length(self) -> int:
        """Tokens of the sequence, special ones included."""
        return len(self.first) + len(self.second) + (SPECIALS if len(self.second) else SPECIALS - 1)


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

    A chunk holds as many sentences as fit. It is divided at a random sentence boundary. If a chunk is one sentence, or
    part of one, it is divided between two words. A segment never comes from another document. In Google's code it may,
    and then the topic gives the answer away. The first chunk of a document is shorter by a random part, so that chunks
    differ between epochs.

    Every token of the document is in one pair. A single last token joins the previous chunk; if that is full, it gives
    back its last sentence, or words of it.

    >>> tokens, starts = np.arange(10, 15), np.array([0, 3, 5])
    >>> every_piece, random = np.ones(20, np.bool_), np.random.default_rng(2)
    >>> [pair] = segment_pairs(
    ...     tokens, starts, word_starts=every_piece, max_length=16, short_share=0, random=random
    ... )
    >>> pair.first.tolist(), pair.second.tolist(), pair.swapped
    ([13, 14], [10, 11, 12], True)

    Args:
        tokens: tokens of the document, `[tokens]`, without special ones.
        starts: first token of each sentence and the end, `[sentences + 1]`.
        word_starts: for each piece of the vocabulary, whether a word starts with it.
        max_length: longest sequence in tokens, special ones included.
        short_share: share of chunks that get a shorter random length, so that short inputs are seen, too.
        random: random number generator for every choice.

    Yields:
        Pairs in the order of the document; a document of less than two tokens gives none.

    Raises:
        UsageError: `max_length` has no room for two segments.
    """
    if max_length < LEAST_LENGTH:
        raise UsageError(f"a length of {max_length} tokens has no room for two segments; give {LEAST_LENGTH} or more")
    most = max_length - SPECIALS
    budget = int(random.integers(most // 2, most + 1))
    ends: list[int] = starts[1:].tolist()
    position, total = int(starts[0]), int(starts[-1])
    while total - position >= 2:
        sentence = bisect_right(ends, position)  # the one that the chunk starts in
        fitting = bisect_right(ends, position + budget)
        end = ends[fitting - 1] if fitting > sentence else position
        if end - position < 2:  # the sentence does not fit, or it is one token before such a one
            end = _word_before(tokens, position, min(position + budget, total), word_starts)
        if total - end == 1:
            end = total if total - position <= most else _earlier(tokens, position, total - 2, ends, word_starts)
        boundaries = ends[sentence : bisect_left(ends, end)]
        middle = _middle(tokens, position, end, boundaries, word_starts, random)
        yield _shown(tokens[position:middle], tokens[middle:end], random)
        position = end
        short = short_share and random.random() < short_share
        budget = int(random.integers(LEAST_LENGTH - SPECIALS, most + 1)) if short else most


def divided(
    tokens: TokenArray, ends: Sequence[int], *, word_starts: npt.NDArray[np.bool_], random: np.random.Generator
) -> SegmentPair:
    """Divide a short text as `segment_pairs` divides a chunk, and swap the two segments half of the time.

    Args:
        tokens: tokens of the text, two or more, without special ones.
        ends: where its sentences end, without the last end.
        word_starts: for each piece of the vocabulary, whether a word starts with it.
        random: random number generator for every choice.
    """
    middle = _middle(tokens, 0, len(tokens), ends, word_starts, random)
    return _shown(tokens[:middle], tokens[middle:], random)


def _shown(first: TokenArray, second: TokenArray, random: np.random.Generator) -> SegmentPair:
    swapped = bool(random.random() < 0.5)
    return SegmentPair(second, first, True) if swapped else SegmentPair(first, second, False)


def _word_before(tokens: TokenArray, start: int, end: int, word_starts: npt.NDArray[np.bool_]) -> int:
    """Return the last start of a word in `(start + 1, end]`, or `end` where there is none."""
    if end >= len(tokens):
        return end
    found = np.flatnonzero(word_starts[tokens[start + 2 : end + 1]])
    return start + 2 + int(found[-1]) if len(found) else end


def _earlier(tokens: TokenArray, start: int, end: int, ends: Sequence[int], word_starts: npt.NDArray[np.bool_]) -> int:
    """Return the last end of a sentence in `(start + 1, end]`, of a word where there is none, or `end`."""
    last = bisect_right(ends, end)
    if last and ends[last - 1] > start + 1:
        return ends[last - 1]
    return _word_before(tokens, start, end, word_starts)


def _middle(
    tokens: TokenArray,
    start: int,
    end: int,
    boundaries: Sequence[int],
    word_starts: npt.NDArray[np.bool_],
    random: np.random.Generator,
) -> int:
    """Return where a chunk of two tokens or more is divided: at the end of a sentence, of a word, or anywhere."""
    if boundaries:
        return boundaries[int(random.integers(len(boundaries)))]
    words = np.flatnonzero(word_starts[tokens[start + 1 : end]])
    if not len(words):
        return start + int(random.integers(1, end - start))
    return start + 1 + int(words[random.integers(len(words))])
