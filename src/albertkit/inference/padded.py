"""Padded runtimes: a packed Batch through something that takes `[batch, seq]` arrays, in parts of near-equal length."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import numpy as np
import numpy.typing as npt

from albertkit.batching.batch import Batch, IntArray
from albertkit.batching.cutting import cut_near_equal

FloatArray = npt.NDArray[np.float32]
Call = Callable[[Mapping[str, IntArray], Collection[str]], Mapping[str, FloatArray]]
"""Takes `input_ids`, `attention_mask` and `token_type_ids` `[n, s]` and names of outputs; gives `[n, ..]` or
`[n, s, ..]` of each."""


def run_padded(batch: Batch, call: Call, *, outputs: Collection[str]) -> dict[str, FloatArray]:
    """Return the named outputs of a packed batch: `[sequences, ..]`, or `[tokens, ..]` of those by token.

    Args:
        batch: packed sequences.
        call: runs one padded part.
        outputs: names.
    """
    found: dict[str, FloatArray] = {}
    for part in cut_near_equal(batch.lengths):
        padded = batch.take(part).pad()
        own = padded["attention_mask"].astype(bool)
        rows = batch.rows_of(part)
        for name, value in call(padded, outputs).items():
            by_token = value.ndim == 3
            count = batch.tokens if by_token else len(batch)
            if name not in found:
                found[name] = np.empty((count, value.shape[-1]), np.float32)
            found[name][rows if by_token else part] = value[own] if by_token else value
    return found
