"""The walk through the layers: the only loop over them.

    begin     embed a batch                           the constructor of a Walk
    layer     run one layer                           for each number of `run_layers`
    finish    what the encoder says at this depth     after the last layer, or after any

Three classes implement it: `EncoderWalk` with the trainable weights, `PreparedWalk` with prepacked weights, and
`GraphWalk`, which writes ONNX nodes. `leave_early` calls `finish` after every layer and stops when every sequence has
left; full depth is the walk that no sequence leaves.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, TypeVar

Output = TypeVar("Output", covariant=True)


class Walk(Protocol[Output]):
    """A batch on its way through the layers, already embedded."""

    num_layers: int

    def layer(self, number: int) -> None:
        """Run a layer, counted from 0, on the states of the layer before."""
        ...

    def finish(self) -> Output:
        """Return what the encoder says after the layers so far."""
        ...


def run_layers(walk: Walk[object]) -> Iterator[int]:
    """Run the layers in order; yield the number of each when it has run."""
    for number in range(walk.num_layers):
        walk.layer(number)
        yield number


def full_depth(walk: Walk[Output]) -> Output:
    """Run all layers and return what the encoder says."""
    for _ in run_layers(walk):
        pass
    return walk.finish()
