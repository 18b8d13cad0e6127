"""Padded runtimes: a packed Batch through something that takes `[batch, seq]` arrays, in parts of near-equal length."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import numpy as np
import numpy.typing as npt

from albertkit.batching.batch import Batch, IntArray

FloatArray = npt.NDArray[np.float32]
Call = Callable[[Mapping[str, IntArray], Collection[str]], Mapping[str, FloatArray]]
"""Takes `input_ids`, `attention_mask` and `token_type_ids` `[n, s]` and names of outputs; gives `[n, ..]` or
`[n, s, ..]` of each."""
_WASTE, _SLACK = 0.15, 8
"""Sequences share a part while padding them to its longest wastes at most this share of each, or so many tokens."""


def near_equal_parts(lengths: IntArray) -> list[IntArray]:
    """Return the numbers of the sequences that run together, the longest first.

    >>> [part.tolist() for part in near_equal_parts(np.array([3, 100, 9, 96]))]
    [[1, 3], [2, 0]]

    Args:
        lengths: tokens of each sequence.
    """
    order = np.argsort(-lengths, kind="stable").astype(np.int64)
    parts: list[IntArray] = []
    begin = 0
    while begin < len(order):
        longest = int(lengths[order[begin]])
        shortest = min(longest * (1 - _WASTE), longest - _SLACK)
        end = begin + 1
        while end < len(order) and lengths[order[end]] >= shortest:
            end += 1
        parts.append(order[begin:end])
        begin = end
    return parts


def run_padded(batch: Batch, call: Call, *, outputs: Collection[str]) -> dict[str, FloatArray]:
    """Return the named outputs of a packed batch: `[sequences, ..]`, or `[tokens, ..]` of those by token.

    Args:
        batch: packed sequences.
        call: runs one padded part.
        outputs: names.
    """
    sequences = list(batch)
    found: dict[str, FloatArray] = {}
    for part in near_equal_parts(batch.lengths):
        chosen = Batch.pack(sequences[index] for index in part)
        padded = chosen.pad()
        own = padded["attention_mask"].astype(bool)
        rows = np.concatenate([np.arange(batch.starts[k], batch.starts[k] + batch.lengths[k]) for k in part])
        for name, value in call(padded, outputs).items():
            by_token = value.ndim == 3
            count = batch.tokens if by_token else len(batch)
            if name not in found:
                found[name] = np.empty((count, value.shape[-1]), np.float32)
            found[name][rows if by_token else part] = value[own] if by_token else value
    return found
