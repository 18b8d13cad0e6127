"""Decide which sequences run together: every split into batches, groups, parts and steps. NumPy only.

    cut_by_tokens     up to a budget of tokens     batches, micro-batches, the passes of a step
    fill              the same, in a given order   the server's queue
    cut_near_equal    little padding               groups for attention, calls of padded runtimes
    cut_evenly        equal work for each thread   early exit
    training_steps    shuffled, by length          one epoch

Batches are packed (no padding), so a batch costs the sum of its lengths. Sequences of near-equal length still run
together, since attention groups them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, pairwise

import numpy as np

from albertkit.batching.batch import IntArray
from albertkit.errors import UsageError

POOL_STEPS = 50
"""At most so many optimizer steps of examples are sorted by length together."""

POOL_SHARE = 8
"""A pool holds at most 1/8 of an epoch, so that a small data set's steps still differ from epoch to epoch."""

PADDING_SHARE = 0.15
"""Sequences are near-equal while each is at most this share shorter than the longest."""

PADDING_TOKENS = 8
"""Sequences are near-equal, too, while each is at most so many tokens shorter: for short ones the share is strict."""


def longest_first(lengths: Sequence[int] | IntArray) -> IntArray:
    """Return indices into `lengths`, the longest first; equal lengths keep their order.

    >>> longest_first([3, 9, 4, 9]).tolist()
    [1, 3, 2, 0]
    """
    return np.argsort(-np.asarray(lengths, dtype=np.int64), kind="stable").astype(np.int64, copy=False)


def fill(lengths: Iterable[int], *, max_tokens: int) -> Iterator[int]:
    """Fill batches in the given order; yield how many sequences each one takes.

    Only as many lengths are read as the yielded counts need, and one more.

    >>> list(fill([3, 9, 4, 2], max_tokens=8))
    [1, 1, 2]

    Args:
        lengths: tokens of each sequence.
        max_tokens: the most tokens of a batch; a longer sequence is a batch of its own.
    """
    count = tokens = 0
    for length in lengths:
        if count and tokens + length > max_tokens:
            yield count
            count = tokens = 0
        count, tokens = count + 1, tokens + length
    if count:
        yield count


def cut_by_tokens(lengths: Sequence[int] | IntArray, *, max_tokens: int) -> list[IntArray]:
    """Sort sequences by length, the longest first, and fill batches up to a budget of tokens.

    >>> [batch.tolist() for batch in cut_by_tokens([3, 9, 4, 2], max_tokens=8)]
    [[1], [2, 0], [3]]

    Args:
        lengths: tokens of each sequence, `[sequences]`.
        max_tokens: the most tokens of a batch; a longer sequence is a batch of its own.

    Returns:
        Arrays of indices into `lengths`; each index is in exactly one of them.

    Raises:
        UsageError: `max_tokens` is below 1.
    """
    if max_tokens < 1:
        raise UsageError(f"the batch's token budget is {max_tokens}; it must be 1 or more")
    sizes = np.asarray(lengths, dtype=np.int64)
    order = longest_first(sizes)
    return _split(order, fill(sizes[order].tolist(), max_tokens=max_tokens))


def cut_near_equal(lengths: IntArray) -> list[IntArray]:
    """Return the indices of sequences that padding to the longest makes little longer, the longest first.

    >>> [part.tolist() for part in cut_near_equal(np.array([3, 100, 9, 96]))]
    [[1, 3], [2, 0]]

    Args:
        lengths: tokens of each sequence, `[sequences]`.
    """
    order = longest_first(lengths)
    counts = []
    shortest = np.inf
    for length in lengths[order].tolist():
        if length < shortest:
            counts.append(0)
            shortest = min(length * (1 - PADDING_SHARE), length - PADDING_TOKENS)
        counts[-1] += 1
    return _split(order, counts)


def cut_evenly(lengths: IntArray, *, max_tokens: int, workers: int) -> list[IntArray]:
    """Return parts of about equal numbers of tokens, the longest sequences first, as many for each worker.

    >>> [part.tolist() for part in cut_evenly(np.array([400, 400, 400]), max_tokens=1024, workers=1)]
    [[0], [1, 2]]

    Args:
        lengths: tokens of each sequence, `[sequences]`.
        max_tokens: about the most tokens of a part.
        workers: who share the parts.
    """
    order = longest_first(lengths)
    most = even_budget(int(lengths.sum()), max_tokens=max_tokens, workers=workers)
    number = (np.cumsum(lengths[order]) - 1) // most
    return [order[number == part] for part in np.unique(number)]


def even_budget(tokens: int, *, max_tokens: int, workers: int) -> int:
    """Return the most tokens of a part, so that each worker gets the same number of parts.

    >>> even_budget(1200, max_tokens=512, workers=2)
    300
    """
    rounds = -(-tokens // (workers * max_tokens))
    return max(-(-tokens // max(workers * rounds, 1)), 1)


def put_back(parts: Sequence[IntArray]) -> IntArray:
    """Return where in the joined results of `parts` each sequence's result is.

    >>> put_back([np.array([1]), np.array([2, 0])]).tolist()
    [2, 0, 1]
    """
    order = np.concatenate(parts)
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    return back


def training_steps(
    lengths: Sequence[int] | IntArray, *, batch_size: int, batch_tokens: int, seed: int, epoch: int, shares: int = 1
) -> list[list[IntArray]]:
    """Cut one epoch into optimizer steps, and each step into forward passes.

    The examples are shuffled by (seed, epoch). What does not fill a step is taken off the end as a step of its own. The
    rest is cut into pools of up to `POOL_STEPS` steps (at most 1/8 of the epoch); a pool is sorted by length and
    cut into steps of `batch_size`, so that a step's examples have near-equal lengths; then all steps are shuffled.

    >>> steps = training_steps([3, 9, 4, 2, 5], batch_size=2, batch_tokens=8, seed=1, epoch=0)
    >>> sorted(sum(len(part) for part in step) for step in steps)
    [1, 2, 2]

    Args:
        lengths: tokens of each example, `[examples]`.
        batch_size: examples of a step.
        batch_tokens: the most tokens of one forward pass; a longer example is a pass of its own.
        seed: from 0 to 2**32 - 1.
        epoch: number of the epoch, from 0; each has its own order.
        shares: how many passes are computed at the same time; with several, all get about as many tokens.

    Returns:
        Steps; a step is a list of forward passes, each an array of indices into `lengths`, the longest first.

    Raises:
        UsageError: `batch_size` or `batch_tokens` is below 1.
    """
    if batch_size < 1:
        raise UsageError(f"the batch size is {batch_size}; it must be 1 or more")
    sizes = np.asarray(lengths, dtype=np.int64)
    # RandomState, since NumPy froze its numbers: a run that is resumed under another NumPy sees the same steps.
    random = np.random.RandomState([seed, epoch])
    shuffled = random.permutation(len(sizes)).astype(np.int64)
    num_steps = len(sizes) // batch_size
    pool_size = batch_size * min(POOL_STEPS, max(1, num_steps // POOL_SHARE))
    whole, rest = shuffled[: num_steps * batch_size], shuffled[num_steps * batch_size :]
    steps = [rest] if len(rest) else []
    for start in range(0, len(whole), pool_size):
        pool = whole[start : start + pool_size]
        pool = pool[np.argsort(sizes[pool], kind="stable")]
        steps += [pool[first : first + batch_size] for first in range(0, len(pool), batch_size)]

    def cut(lengths: IntArray) -> list[IntArray]:
        if shares == 1:
            return cut_by_tokens(lengths, max_tokens=batch_tokens)
        return cut_evenly(lengths, max_tokens=batch_tokens, workers=shares)

    return [[steps[index][part] for part in cut(sizes[steps[index]])] for index in random.permutation(len(steps))]


def _split(order: IntArray, counts: Iterable[int]) -> list[IntArray]:
    ends = [0, *accumulate(counts)]
    return [order[start:end] for start, end in pairwise(ends)]
