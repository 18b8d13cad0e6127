"""Layer by layer: after each one, sequences that need no more leave the batch, and the packed rows close up.

    layer 1  [a a a b b c c c c]   asks all three
    layer 2  [a a a c c c c]       b has left
    layer 3  [c c c c]             a has left

Nothing is padded and nobody waits: every sequence gets exactly the layers that it would get alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from albertkit.batching.batch import Batch, IntArray
from albertkit.encoder.attention import AttentionPlan, plan_attention, rounded
from albertkit.encoder.encoder import Encoder, EncoderOutput
from albertkit.encoder.kernels import attends_packed, distinct_rows, on_device
from albertkit.encoder.layer import LayerWeights
from albertkit.encoder.linear import runs_bf16_on_cpu
from albertkit.encoder.prepared import PreparedEncoder
from albertkit.encoder.strips import Strip, cut, rounded_rows

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


class Stepper(Protocol):
    """An encoder that can be run one layer at a time; `Layout` and `Hidden` are its own affair."""

    num_layers: int

    def begin(self, batch: Batch) -> None:
        """Embed a batch."""
        ...

    def step(self, layer: int) -> EncoderOutput:
        """Run a layer; return what it says. Of the last one only the first tokens' states may be there."""
        ...

    def keep(self, batch: Batch, rows: IntArray) -> None:
        """Go on with a smaller batch, whose tokens stand in these rows of the one before."""
        ...


def leave_early(stepper: Stepper, batch: Batch, *, decide: Decide) -> Left:
    """Run a batch until every sequence has left; those that are still there after the last layer leave then.

    Args:
        stepper: the encoder.
        batch: packed sequences, at least one.
        decide: called after every layer with the sequences that are left, in the order of the batch.
    """
    stepper.begin(batch)
    found: FloatArray | None = None
    layers = np.zeros(len(batch), np.int64)
    there = np.arange(len(batch))
    for layer in range(stepper.num_layers):
        rows, leaves = decide(layer, stepper.step(layer))
        if layer == stepper.num_layers - 1:
            leaves = np.ones(len(there), np.bool_)
        if not leaves.any():
            continue
        found = np.zeros((len(layers), rows.shape[1]), np.float32) if found is None else found
        found[there[leaves]], layers[there[leaves]] = rows[leaves], layer + 1
        if leaves.all():
            break
        there = there[~leaves]
        tokens = np.flatnonzero(np.repeat(~leaves, batch.lengths))
        batch = Batch(
            batch.input_ids[tokens], batch.token_type_ids[tokens], batch.positions[tokens], batch.lengths[~leaves]
        )
        stepper.keep(batch, tokens)
    assert found is not None
    return Left(found, layers)


class EncoderStepper:
    """The plain encoder, on any device and under any autocast.

    Args:
        encoder: in evaluation mode.
        pooled: whether the pooler's output is wanted of every layer.
    """

    def __init__(self, encoder: Encoder, *, pooled: bool) -> None:
        self.encoder = encoder
        self.num_layers = encoder.config.num_hidden_layers
        self.pooled = pooled
        self._batch: Batch
        self._hidden: Tensor
        self._plan: AttentionPlan
        self._shared: list[list[LayerWeights]]

    def begin(self, batch: Batch) -> None:
        """Embed a batch.

        Raises:
            UsageError: as `Encoder.forward`.
        """
        self.encoder.check(batch)
        rows = self._laid_out(batch)
        padded = (_extended(ids, rows) for ids in (batch.input_ids, batch.token_type_ids, batch.positions))
        self._hidden = self.encoder.embeddings(*(self._tensor(ids) for ids in padded))
        self._shared = self.encoder.shared()

    def step(self, layer: int) -> EncoderOutput:
        """Run a layer."""
        encoder, batch = self.encoder, self._batch
        group = encoder.config.group_of_layer(layer)
        self._hidden = encoder.groups[group](self._hidden, self._plan, self._shared[group])
        first = distinct_rows(self._hidden, self._tensor(batch.starts))
        pooled = torch.tanh(encoder.pooler(first)) if self.pooled else first
        return EncoderOutput(self._hidden[: batch.tokens], pooled, self._tensor(batch.lengths))

    def keep(self, batch: Batch, rows: IntArray) -> None:
        """Go on with a smaller batch."""
        count = self._laid_out(batch)
        self._hidden = self._hidden.index_select(0, self._tensor(_extended(rows, count)))

    def _laid_out(self, batch: Batch) -> int:
        """Plan attention for a batch; return its number of rows, spare ones included."""
        weight, config = self.encoder.pooler.weight, self.encoder.config
        rows = rounded(batch.tokens) if runs_bf16_on_cpu(weight) else batch.tokens
        packed = attends_packed(weight, size=config.hidden_size // config.num_attention_heads, dropout=0.0)
        self._batch = batch
        self._plan = plan_attention(
            batch.lengths, device=weight.device, num_rows=rows if rows > batch.tokens else None, packed=packed
        )
        return rows

    def _tensor(self, array: IntArray) -> Tensor:
        return on_device(array, self.encoder.pooler.weight.device)


class PreparedStepper:
    """The encoder prepared for a processor; a batch is one strip, so it should be of some hundred tokens.

    Args:
        encoder: prepared.
        pooled: whether the pooler's output is wanted of every layer.
        first_only: whether of the last layer the first tokens' states are enough.
    """

    def __init__(self, encoder: PreparedEncoder, *, pooled: bool, first_only: bool) -> None:
        self.encoder = encoder
        self.num_layers = encoder.config.num_hidden_layers
        self.pooled = pooled
        self.first_only = first_only
        self._batch: Batch
        self._hidden: Tensor
        self._strip: Strip
        self._firsts: Tensor

    def begin(self, batch: Batch) -> None:
        """Embed a batch whose sequences stand by length, the longest first.

        Raises:
            UsageError: as `Encoder.forward`.
        """
        self.encoder.check(batch)
        self._laid_out(batch)
        self._hidden = self.encoder.embed(batch, self._strip)

    def step(self, layer: int) -> EncoderOutput:
        """Run a layer."""
        encoder, batch = self.encoder, self._batch
        count = encoder.config.inner_group_num
        inner = encoder.layers[layer * count : (layer + 1) * count]
        only = self.first_only and layer == self.num_layers - 1
        for one in inner[:-1] if only else inner:
            self._hidden = one(self._hidden, self._strip)
        if only:
            first = inner[-1].first(self._hidden, self._strip, self._firsts)
        else:
            first = self._hidden.index_select(0, self._firsts)
        pooled = torch.tanh(encoder.pooler(first)) if self.pooled else first
        if only:
            return EncoderOutput(first[: len(batch)], pooled[: len(batch)], torch.ones(len(batch), dtype=torch.int64))
        return EncoderOutput(self._hidden[: batch.tokens], pooled[: len(batch)], torch.from_numpy(batch.lengths))

    def keep(self, batch: Batch, rows: IntArray) -> None:
        """Go on with a smaller batch."""
        self._laid_out(batch)
        self._hidden = self._hidden.index_select(0, torch.from_numpy(_extended(rows, self._strip.rows)))

    def _laid_out(self, batch: Batch) -> None:
        self._batch = batch
        (self._strip,) = cut(batch, max_tokens=batch.tokens, dtype=self.encoder.dtype)
        self._firsts = torch.from_numpy(_extended(self._strip.starts, rounded_rows(len(batch), self.encoder.dtype)))


def _extended(array: IntArray, rows: int) -> IntArray:
    """Return the array with zeros after it: spare rows hold anything finite."""
    extended = np.zeros(rows, np.int64)
    extended[: len(array)] = array
    return extended
