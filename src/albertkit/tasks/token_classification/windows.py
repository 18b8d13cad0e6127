"""Select the token that represents a word, and the window that decides it if windows of a long text overlap."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from albertkit.batching.batch import IntArray

Span = tuple[int, int]


def word_rows(words: Sequence[Span], offsets: Sequence[Span]) -> tuple[IntArray, IntArray]:
    """Return the numbers of the words that have a token, and the token of each: the first that overlaps the word.

    A token that an earlier word has is taken again only where the word has no other.

    >>> [part.tolist() for part in word_rows([(0, 1), (1, 4), (5, 9)], [(0, 2), (2, 4), (4, 4)])]
    [[0, 1], [0, 1]]

    Args:
        words: spans in characters, in order, without overlap.
        offsets: span of each token in characters of the same text, in order; an empty one overlaps nothing.
    """
    found: list[int] = []
    rows: list[int] = []
    row, taken = 0, -1
    for number, (start, end) in enumerate(words):
        while row < len(offsets) and offsets[row][1] <= start:
            row += 1
        own = []
        for at in range(row, len(offsets)):
            first, last = offsets[at]
            if first >= end:
                break
            if last > max(first, start):
                own.append(at)
        if not own:
            continue
        taken = next((at for at in own if at > taken), own[-1])
        found.append(number)
        rows.append(taken)
    return np.array(found, np.int64), np.array(rows, np.int64)


def window_spans(length: int, *, size: int, overlap: int) -> list[Span]:
    """Return the spans `[start, end)` of the windows over a text; the last one is moved back to be full.

    >>> window_spans(10, size=6, overlap=2), window_spans(0, size=6, overlap=2)
    ([(0, 6), (4, 10)], [(0, 0)])

    Args:
        length: tokens of the text.
        size: tokens of a window, 1 or more.
        overlap: tokens that two neighbours share at least.
    """
    if length <= size:
        return [(0, length)]
    step = max(size - overlap, 1)
    starts = [*range(0, length - size, step), length - size]
    return [(start, start + size) for start in starts]


def best_windows(rows: IntArray, windows: Sequence[Span]) -> IntArray:
    """Return for each token the window where its poorer side has the most tokens; the first one of equals.

    >>> best_windows(np.array([0, 4, 5, 9]), [(0, 6), (4, 10)]).tolist()
    [0, 0, 1, 1]
    """
    if len(windows) == 1:
        return np.zeros(len(rows), np.int64)
    edges = np.array(windows, np.int64)
    # Negative where the token is outside, so such a window is never chosen: every token is in one.
    context = np.minimum(rows[:, None] - edges[:, 0], edges[:, 1] - 1 - rows[:, None])  # [tokens, windows]
    best: IntArray = context.argmax(axis=1)
    return best
