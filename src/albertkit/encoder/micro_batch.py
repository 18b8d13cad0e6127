"""Micro-batches: some hundred tokens of whole sequences that run through all layers together.

What a micro-batch's layer writes is still in the processor's cache when the next operation reads it; micro-batches are
independent, so each core takes its own; and their numbers of rows are rounded, since oneDNN makes code for every shape
of a product that it meets, which can take ten times as long as the product itself.

    lengths  [9 5 3 3]  ->  groups of equal length: 1 of 9, 1 of 5, 2 of 3, then spare rows
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from albertkit.batching.batch import Batch

_STEP = 16
"""Rows of a tile of the processor's matrix unit: numbers of keys are rounded up to it, and in bf16 few rows."""

_STEP_FP32 = 4
"""Few rows in fp32, which has no tiles: one text's product takes as long as its rows, spare ones included."""


@dataclass(frozen=True)
class LengthGroup:
    """Sequences of equal length that follow each other."""

    row: int
    """Row of their first token."""
    sequences: int
    """n."""
    length: int
    """s."""
    keys: int
    """Keys that a query sees: s rounded up where rows follow, the rest masked."""
    begin: int
    """Number of the first of the sequences within the micro-batch."""


@dataclass(frozen=True)
class MicroBatch:
    """Whole sequences of near-equal length, and how their rows are laid out."""

    batch: Batch
    """The sequences, those of equal length next to each other."""
    rows: int
    """Rows in all, spare ones at the end included."""
    groups: tuple[LengthGroup, ...]

    @classmethod
    def of(cls, batch: Batch, *, dtype: torch.dtype) -> MicroBatch:
        """Lay out the rows of a batch.

        Args:
            batch: its sequences are sorted by length.
            dtype: type of the weights that the rows will meet.
        """
        rows = rounded_rows(batch.tokens, dtype)
        return cls(batch, rows, tuple(_groups(batch.lengths.tolist(), rows)))


def rounded_rows(tokens: int, dtype: torch.dtype) -> int:
    """Round a number of rows up, so that batches have few different shapes; not with weights in fp16.

    oneDNN makes code for every shape of a bf16 product that it meets, some hundred kilobytes each, and keeps it.
    FBGEMM's products have one code for all.

    >>> [rounded_rows(tokens, torch.bfloat16) for tokens in (3, 17, 100, 130, 300, 4000)]
    [16, 32, 112, 192, 320, 4096]
    >>> [rounded_rows(tokens, torch.float32) for tokens in (3, 17, 100, 130, 300, 4000)]
    [4, 20, 112, 192, 320, 4096]
    >>> [rounded_rows(tokens, torch.float16) for tokens in (3, 17, 100, 130, 300, 4000)]
    [3, 17, 100, 130, 300, 4000]
    """
    if dtype is torch.float16:
        return tokens
    if tokens <= 128:
        step = _STEP_FP32 if dtype is torch.float32 and tokens <= 64 else _STEP
    else:
        step = 64 if tokens <= 2048 else 128
    return -(-tokens // step) * step


def _groups(lengths: list[int], rows: int) -> Iterator[LengthGroup]:
    row = begin = 0
    while begin < len(lengths):
        length = lengths[begin]
        count = lengths.count(length)
        after = row + count * length
        keys = -(-length // _STEP) * _STEP
        yield LengthGroup(row, count, length, keys if after - length + keys <= rows else length, begin)
        row, begin = after, begin + count


def attend(query: Tensor, key: Tensor, value: Tensor, group: LengthGroup, *, heads: int, first_only: bool) -> Tensor:
    """Return the context of a group, `[n, heads, queries, d]`.

    Products of matrices whose sides are multiples of a tile take half the time of others. Keys and values are read past
    the end of their own sequence, into the next one's rows, and a mask takes those out again: no copy is made.

    Args:
        query: `[rows, H]`, or with `first_only` `[sequences, H]`.
        key: `[rows, H]`, one row per token of the micro-batch; finite in spare rows.
        value: the same shape as `key`.
        group: which rows.
        heads: number of heads.
        first_only: whether only the first token of each sequence asks.
    """
    queries = (group.begin, 1, 1) if first_only else (group.row, group.length, group.length)
    keys = (group.row, group.length, group.keys)
    mask = None
    if group.keys > group.length:
        mask = _mask(group.length, group.keys, query.dtype).expand(1, 1, queries[2], group.keys)
    query, key, value = (
        tensor.as_strided(
            (group.sequences, heads, count, tensor.shape[1] // heads),
            (step * tensor.stride(0), tensor.shape[1] // heads, tensor.stride(0), 1),
            tensor.storage_offset() + row * tensor.stride(0),
        )
        for tensor, (row, step, count) in ((query, queries), (key, keys), (value, keys))
    )
    return F.scaled_dot_product_attention(query, key, value, attn_mask=mask)


@lru_cache(maxsize=1024)
def _mask(length: int, keys: int, dtype: torch.dtype) -> Tensor:
    """Return 0 for a sequence's own keys and minus infinity for what follows, `[1, 1, 1, keys]`."""
    mask = torch.zeros(keys, dtype=dtype)
    mask[length:] = -torch.inf
    return mask.view(1, 1, 1, keys)
