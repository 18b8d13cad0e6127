"""Prepare the encoder for inference on a processor: weights packed once, memory passes fused, no padding.

ALBERT's layers share their weights, so one packed set serves every depth. A batch runs in micro-batches
(`micro_batch.py`). Letters: rows of a micro-batch T, hidden H, intermediate I.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from albertkit.batching.batch import Batch, IntArray, extended
from albertkit.batching.cutting import cut_by_tokens, even_budget, put_back
from albertkit.encoder.checksum import checksum
from albertkit.encoder.encoder import Encoder, EncoderOutput
from albertkit.encoder.layer import Group, Layer
from albertkit.encoder.micro_batch import MicroBatch, attend, rounded_rows
from albertkit.encoder.packed_linear import Linear, pack, states_dtype
from albertkit.encoder.walk import full_depth
from albertkit.encoder.workers import on_workers
from albertkit.hardware.processor import capabilities

_MICRO_BATCH_TOKENS = 512
"""Tokens of a micro-batch: enough for the matrix unit, few enough for the cache."""

_WORKER_TOKENS = 64
"""A batch is shared out between cores when each gets at least so many tokens."""


def can_prepare(device: torch.device, dtype: torch.dtype) -> bool:
    """Return whether this device has products with prepacked weights of this type."""
    if device.type != "cpu":
        return False
    found = capabilities()
    able = {torch.float32: found.prepacked, torch.bfloat16: found.prepacked_bf16, torch.float16: found.fbgemm}
    return able.get(dtype, False)


class FeedForward:
    """The products of a layer's feed-forward part, with the residual added."""

    def __init__(self, up: Linear, down: Linear, *, activation: str) -> None:
        self.up, self.down, self.activation = up, down, activation

    def __call__(self, mixed: Tensor) -> Tensor:
        """Return `down(activation(up(mixed))) + mixed`, `[T, H]`."""
        return self.down.added(self.up.activated(mixed, self.activation), mixed)


class PreparedLayer:
    """One layer's weights, packed."""

    def __init__(self, layer: Layer, *, dtype: torch.dtype) -> None:
        attention, ffn = layer.attention, layer.ffn
        parts = (attention.query, attention.key, attention.value)
        weight, bias = torch.cat([part.weight for part in parts]), torch.cat([part.bias for part in parts])
        width = len(attention.query.bias)
        states = states_dtype(dtype)
        self.source = layer
        self.heads = attention.num_heads
        self.activation = ffn.activation
        self.projections = pack(weight, bias, dtype=dtype)
        self.query = pack(weight[:width], bias[:width], dtype=dtype)
        self.key_value = pack(weight[width:], bias[width:], dtype=dtype)
        self.output = pack(attention.output.weight, attention.output.bias, dtype=dtype)
        up, down = (pack(part.weight, part.bias, dtype=dtype) for part in (ffn.up, ffn.down))
        self.feed_forward: Callable[[Tensor], Tensor] = FeedForward(up, down, activation=ffn.activation)
        self.norms = [
            ((len(norm.weight),), norm.weight.detach().to(states), norm.bias.detach().to(states), norm.eps)
            for norm in (attention.norm, ffn.norm)
        ]

    def __call__(self, hidden: Tensor, micro_batch: MicroBatch) -> Tensor:
        """Apply the layer to `[T, H]`."""
        query, key, value = self.projections(hidden).chunk(3, dim=1)
        return self._rest(self._context(query, key, value, micro_batch, first_only=False), hidden)

    def first(self, hidden: Tensor, micro_batch: MicroBatch, starts: Tensor) -> Tensor:
        """Apply the layer only at rows `starts`, the first tokens of the sequences: `[len(starts), H]`."""
        wanted = hidden.index_select(0, starts)
        key, value = self.key_value(hidden).chunk(2, dim=1)
        return self._rest(self._context(self.query(wanted), key, value, micro_batch, first_only=True), wanted)

    def _context(
        self, query: Tensor, key: Tensor, value: Tensor, micro_batch: MicroBatch, *, first_only: bool
    ) -> Tensor:
        width = query.shape[1]
        rows = [
            # A view: attention writes the heads of a token side by side.
            attend(query, key, value, group, heads=self.heads, first_only=first_only).transpose(1, 2).reshape(-1, width)
            for group in micro_batch.groups
        ]
        # Spare rows run through the layers, too: masked keys may be anything finite.
        spare = len(query) - sum(map(len, rows))
        return _joined([*rows, query.new_zeros(spare, width)] if spare else rows)

    def _rest(self, context: Tensor, hidden: Tensor) -> Tensor:
        mixed = F.layer_norm(self.output.added(context, hidden), *self.norms[0])
        return F.layer_norm(self.feed_forward(mixed), *self.norms[1])


class PreparedEncoder:
    """An `Encoder` for inference on a processor, in fp32 or bf16, or in fp32 with weights in fp16.

    Args:
        encoder: its weights are copied; it stays as it is.
        dtype: type of the weights of products: float32, bfloat16 or float16.
    """

    def __init__(self, encoder: Encoder, *, dtype: torch.dtype) -> None:
        self.config = encoder.config
        self.dtype = dtype
        self.shares_out = True
        """Whether cores take micro-batches of their own."""
        self.check = encoder.check
        self.num_layers = encoder.active_layers
        self.layers = _depth(encoder, dtype)
        embeddings = encoder.embeddings
        self.tables = [table.detach() for table in _tables(encoder)]
        self.norm = embeddings.norm
        projection = embeddings.projection
        self.projection: Linear | None = None
        if isinstance(projection, torch.nn.Linear):
            self.projection = pack(projection.weight, projection.bias, dtype=dtype)
        self.pooler = pack(encoder.pooler.weight, encoder.pooler.bias, dtype=dtype)
        self._encoder = encoder
        self._parts = [
            (own, name, part)
            for module in encoder.modules()
            for own in (module._modules, module._parameters)
            for name, part in own.items()
        ]
        self._weights = [*_packed(encoder), *_tables(encoder)]
        self._places = self._addresses()
        self._watched = [_in_memory_order(weight.detach()) for weight in _packed(encoder)]
        self._seen = self._checksums()

    def is_current(self) -> bool:
        """Return whether the encoder's weights are still those that were packed.

        torch counts a tensor's changes, but not those by fused optimizers, through `.data` or through NumPy. Every
        byte is therefore read: 0.2 ms for albert-nano, 2 ms for albert-base, a tenth of what one short text takes.
        """
        return (
            self.num_layers == self._encoder.active_layers
            and all(own.get(name) is part for own, name, part in self._parts)
            and self._addresses() == self._places
            and self._checksums() == self._seen
        )

    def _addresses(self) -> list[int]:
        return [weight.data_ptr() for weight in self._weights]

    def _checksums(self) -> list[int]:
        return [checksum(weight) for weight in self._watched]

    def __call__(self, batch: Batch, *, first_only: bool = False, threads: int = 1) -> EncoderOutput:
        """Encode a packed batch.

        Args:
            batch: packed arrays.
            first_only: whether only the first token of each sequence is needed; the last layer is computed only there,
                and the output is as if each sequence were that token.
            threads: processor threads; several sequences are shared out between them.

        Raises:
            UsageError: see `Encoder.forward`.
        """
        self.check(batch)
        workers = max(min(threads, len(batch), batch.tokens // _WORKER_TOKENS), 1) if self.shares_out else 1
        budget = _MICRO_BATCH_TOKENS
        if workers > 1:
            budget = even_budget(batch.tokens, max_tokens=budget, workers=workers)
        parts = cut_by_tokens(batch.lengths, max_tokens=budget)

        def encode(part: IntArray) -> EncoderOutput:
            return full_depth(PreparedWalk(self, batch.take(part), first_only=first_only))

        found = on_workers(encode, parts, workers=workers)
        sequences = torch.from_numpy(put_back(parts))
        pooled = _joined([one.pooled_output for one in found]).index_select(0, sequences)
        hidden = _joined([one.sequence_output for one in found])
        if first_only:
            return EncoderOutput.of_first_tokens(hidden.index_select(0, sequences), pooled)
        rows = torch.from_numpy(put_back([batch.rows_of(part) for part in parts]))
        return _all_tokens(hidden.index_select(0, rows), pooled, batch)

    def at_depth(self, number: int) -> list[PreparedLayer]:
        """Return the inner layers of one of the layers, counted from 0."""
        count = self.config.inner_group_num
        return self.layers[number * count : (number + 1) * count]

    def embed(self, micro_batch: MicroBatch) -> Tensor:
        """Return what the first layer takes, `[rows, H]`."""
        batch = micro_batch.batch
        word, position, token_type = (
            F.embedding(torch.from_numpy(extended(ids, micro_batch.rows)), table)
            for ids, table in zip((batch.input_ids, batch.positions, batch.token_type_ids), self.tables, strict=True)
        )
        summed = self.norm(word.add_(position).add_(token_type)).to(states_dtype(self.dtype))
        return summed if self.projection is None else self.projection(summed)


class PreparedWalk:
    """A micro-batch on its way through a `PreparedEncoder`.

    Args:
        encoder: prepared.
        batch: sequences sorted by length that passed `PreparedEncoder.check`; all their states are in memory at once.
        first_only: whether the first tokens' states are enough of the last layer.
        pooled: whether to compute `pooled_output`; else it holds the first tokens' states.
    """

    def __init__(
        self, encoder: PreparedEncoder, batch: Batch, *, first_only: bool = False, pooled: bool = True
    ) -> None:
        self.num_layers = encoder.num_layers
        self._encoder, self._first_only, self._pooled = encoder, first_only, pooled
        self._lay_out(batch)
        self._hidden = encoder.embed(self._micro_batch)
        self._first: Tensor | None = None

    def layer(self, number: int) -> None:
        """Run a layer; of the last one with `first_only`, only the first tokens."""
        *inner, last = self._encoder.at_depth(number)
        for layer in inner:
            self._hidden = layer(self._hidden, self._micro_batch)
        if self._first_only and number == self.num_layers - 1:
            self._first = last.first(self._hidden, self._micro_batch, self._starts)
        else:
            self._hidden = last(self._hidden, self._micro_batch)

    def finish(self) -> EncoderOutput:
        """Return the states after the layers so far."""
        first = self._hidden.index_select(0, self._starts) if self._first is None else self._first
        pooled = torch.tanh(self._encoder.pooler(first)) if self._pooled else first
        count = len(self.batch)
        if self._first is not None:
            return EncoderOutput.of_first_tokens(first[:count], pooled[:count])
        return _all_tokens(self._hidden[: self.batch.tokens], pooled[:count], self.batch)

    def keep(self, numbers: IntArray) -> None:
        """Continue with these sequences of the batch, numbered in ascending order."""
        kept = self.batch.rows_of(numbers)
        self._lay_out(self.batch.take(numbers))
        self._hidden = self._hidden.index_select(0, torch.from_numpy(extended(kept, self._micro_batch.rows)))

    def _lay_out(self, batch: Batch) -> None:
        self.batch = batch
        self._micro_batch = MicroBatch.of(batch, dtype=self._encoder.dtype)
        self._starts = torch.from_numpy(extended(batch.starts, rounded_rows(len(batch), self._encoder.dtype)))


def _all_tokens(hidden: Tensor, pooled: Tensor, batch: Batch) -> EncoderOutput:
    lengths, segments = (torch.from_numpy(array.astype(np.int64)) for array in (batch.lengths, batch.token_type_ids))
    return EncoderOutput(hidden, pooled, lengths, segments)


def _joined(parts: Sequence[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(list(parts))


def _packed(encoder: Encoder) -> list[Tensor]:
    """Return the weights that are copied; the tables of the embeddings and their norm are used where they are."""
    embeddings = encoder.embeddings
    modules = [*encoder.groups, encoder.pooler, embeddings.projection]
    return [weight for module in modules for weight in module.parameters()]


def _tables(encoder: Encoder) -> list[Tensor]:
    embeddings = encoder.embeddings
    return [table.weight for table in (embeddings.word, embeddings.position, embeddings.token_type)]


def _in_memory_order(weight: Tensor) -> Tensor:
    """Return a view whose numbers follow each other in memory; weights from other formats may be transposed there."""
    return weight.permute(sorted(range(weight.ndim), key=weight.stride, reverse=True))


def _depth(encoder: Encoder, dtype: torch.dtype) -> list[PreparedLayer]:
    """Return the layers in the order they run; those that share weights are the same object."""
    packed: dict[int, list[PreparedLayer]] = {}
    layers: list[PreparedLayer] = []
    for index in range(encoder.active_layers):
        number = encoder.config.group_of_layer(index)
        if number not in packed:
            group = encoder.groups[number]
            assert isinstance(group, Group)
            packed[number] = [PreparedLayer(layer, dtype=dtype) for layer in group.inner]
        layers += packed[number]
    return layers
