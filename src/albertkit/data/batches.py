"""From the lengths of sequences to batches: what runs together, by a budget of tokens.

Batches are packed (no padding), so a batch costs the sum of its lengths. Sequences of near-equal length are put
together all the same, since attention groups them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from albertkit.batching.batch import IntArray
from albertkit.errors import UsageError

POOL_STEPS = 50
"""At most so many optimizer steps of examples are sorted by length together."""

POOL_SHARE = 8
"""A pool holds at most 1/8 of an epoch, so that a small data set's steps still differ from epoch to epoch."""


def batches_by_tokens(
    lengths: Sequence[int] | IntArray, *, max_tokens: int, longest_first: bool = True
) -> list[IntArray]:
    """Sort sequences by length and fill batches one after the other up to a budget of tokens.

    >>> [batch.tolist() for batch in batches_by_tokens([3, 9, 4, 2], max_tokens=8)]
    [[1], [2, 0], [3]]

    Args:
        lengths: tokens of each sequence, `[sequences]`.
        max_tokens: the most tokens of a batch; a longer sequence is a batch of its own.
        longest_first: whether the longest come first (memory shows its peak at once) or the shortest.

    Returns:
        Arrays of indices into `lengths`; each index stands in one of them, once. Equal lengths keep their order.

    Raises:
        UsageError: `max_tokens` is below 1.
    """
    if max_tokens < 1:
        raise UsageError(f"a batch of at most {max_tokens} tokens cannot be: give a number from 1 up")
    sizes = np.asarray(lengths, dtype=np.int64)
    order = np.argsort(-sizes if longest_first else sizes, kind="stable").astype(np.int64)
    ends = np.cumsum(sizes[order])
    batches = []
    start = 0
    while start < len(order):
        before = int(ends[start - 1]) if start else 0
        end = max(int(np.searchsorted(ends, before + max_tokens, side="right")), start + 1)
        batches.append(order[start:end])
        start = end
    return batches


def inference_batches(lengths: Sequence[int] | IntArray, *, batch_tokens: int) -> list[IntArray]:
    """Return batches for inference, the longest sequences first; put results back by these indices.

    >>> [batch.tolist() for batch in inference_batches([3, 9, 4, 2], batch_tokens=8)]
    [[1], [2, 0], [3]]

    Args:
        lengths: tokens of each sequence, `[sequences]`.
        batch_tokens: the most tokens of a batch; a longer sequence is a batch of its own.

    Raises:
        UsageError: `batch_tokens` is below 1.
    """
    return batches_by_tokens(lengths, max_tokens=batch_tokens)


def training_steps(
    lengths: Sequence[int] | IntArray, *, batch_size: int, batch_tokens: int, seed: int, epoch: int
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

    Returns:
        Steps; a step is a list of forward passes, each an array of indices into `lengths`, the longest first.

    Raises:
        UsageError: `batch_size` or `batch_tokens` is below 1.
    """
    if batch_size < 1:
        raise UsageError(f"a step of {batch_size} examples cannot be: give a number from 1 up")
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
    return [
        [steps[index][part] for part in batches_by_tokens(sizes[steps[index]], max_tokens=batch_tokens)]
        for index in random.permutation(len(steps))
    ]
