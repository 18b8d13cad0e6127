"""Layer by layer: after each one, sequences that need no more leave the batch, and the packed rows close up.

    layer 1  [a a a b b c c c c]   asks all three
    layer 2  [a a a c c c c]       b has left
    layer 3  [c c c c]             a has left

Nothing is padded and no sequence waits: each gets exactly the layers that it would get in a batch of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from albertkit.batching.batch import Batch, IntArray
from albertkit.encoder.encoder import EncoderOutput
from albertkit.encoder.walk import Walk, run_layers

FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]

Decide = Callable[[int, EncoderOutput], tuple[FloatArray, BoolArray]]
"""Layer (from 0) and what it says of the sequences still there -> their rows, and which of them leave."""


@dataclass(frozen=True)
class Left:
    """How a batch left."""

    rows: FloatArray
    """What was decided of each sequence where it left, `[sequences, outputs]`."""
    layers: IntArray
    """How many layers each one passed, `[sequences]`."""


class ShrinkingWalk(Walk[EncoderOutput], Protocol):
    """A walk that sequences can leave."""

    batch: Batch
    """The sequences still there."""

    def keep(self, numbers: IntArray) -> None:
        """Continue with these sequences of the batch, numbered in ascending order."""
        ...


def leave_early(walk: ShrinkingWalk, *, decide: Decide) -> Left:
    """Run the layers until every sequence has left; those that are still there after the last layer leave then.

    Args:
        walk: a batch of at least one sequence.
        decide: called after every layer with the sequences that are left, in the order of the batch.
    """
    found: FloatArray | None = None
    there = np.arange(len(walk.batch))
    layers = np.zeros(len(there), np.int64)
    for layer in run_layers(walk):
        rows, leaves = decide(layer, walk.finish())
        if layer == walk.num_layers - 1:
            leaves = np.ones(len(there), np.bool_)
        if not leaves.any():
            continue
        found = np.zeros((len(layers), rows.shape[1]), np.float32) if found is None else found
        found[there[leaves]], layers[there[leaves]] = rows[leaves], layer + 1
        if leaves.all():
            break
        there = there[~leaves]
        walk.keep(np.flatnonzero(~leaves))
    assert found is not None
    return Left(found, layers)
