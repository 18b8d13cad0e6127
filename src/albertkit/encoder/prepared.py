"""The encoder made ready for inference on a processor: weights packed once, passes over memory fused, no padding.

ALBERT's layers share their weights, so one packed set serves every depth. A batch runs in strips (`strips.py`).
Letters: rows of a strip T, hidden H, intermediate I.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from albertkit.batching.batch import Batch, IntArray
from albertkit.encoder.checksum import checksum
from albertkit.encoder.encoder import Encoder, EncoderOutput
from albertkit.encoder.layer import Group, Layer
from albertkit.encoder.packed_linear import PackedLinear
from albertkit.encoder.strips import Strip, attend, cut, rounded_rows
from albertkit.encoder.workers import on_workers
from albertkit.hardware.processor import capabilities

_STRIP_TOKENS = 512
"""Tokens of a strip: enough for the matrix unit, few enough for the cache."""

_WORKER_TOKENS = 64
"""A batch is shared out between cores when each gets at least so many tokens."""


def can_prepare(device: torch.device, dtype: torch.dtype) -> bool:
    """Tell whether this device has products with prepacked weights of this type."""
    if device.type != "cpu":
        return False
    found = capabilities()
    return (dtype is torch.float32 and found.prepacked) or (dtype is torch.bfloat16 and found.prepacked_bf16)


class FeedForward:
    """The products of a layer's feed-forward part, with the residual added."""

    def __init__(self, layer: Layer, *, dtype: torch.dtype) -> None:
        ffn = layer.ffn
        self.activation = ffn.activation
        self.up = PackedLinear(ffn.up.weight, ffn.up.bias, dtype=dtype)
        self.down = PackedLinear(ffn.down.weight, ffn.down.bias, dtype=dtype)

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
        self.source = layer
        self.heads = attention.num_heads
        self.activation = ffn.activation
        self.projections = PackedLinear(weight, bias, dtype=dtype)
        self.query = PackedLinear(weight[:width], bias[:width], dtype=dtype)
        self.key_value = PackedLinear(weight[width:], bias[width:], dtype=dtype)
        self.output = PackedLinear(attention.output.weight, attention.output.bias, dtype=dtype)
        self.feed_forward: Callable[[Tensor], Tensor] = FeedForward(layer, dtype=dtype)
        self.norms = [
            ((len(norm.weight),), norm.weight.detach().to(dtype), norm.bias.detach().to(dtype), norm.eps)
            for norm in (attention.norm, ffn.norm)
        ]

    def __call__(self, hidden: Tensor, strip: Strip) -> Tensor:
        """Apply the layer to `[T, H]`."""
        query, key, value = self.projections(hidden).chunk(3, dim=1)
        return self._rest(self._context(query, key, value, strip, first_only=False), hidden)

    def first(self, hidden: Tensor, strip: Strip, starts: Tensor) -> Tensor:
        """Apply the layer at rows `starts` alone, the first tokens of the sequences: `[len(starts), H]`."""
        wanted = hidden.index_select(0, starts)
        key, value = self.key_value(hidden).chunk(2, dim=1)
        return self._rest(self._context(self.query(wanted), key, value, strip, first_only=True), wanted)

    def _context(self, query: Tensor, key: Tensor, value: Tensor, strip: Strip, *, first_only: bool) -> Tensor:
        context = query.new_empty(query.shape)
        for group in strip.groups:
            found = attend(query, key, value, group, heads=self.heads, first_only=first_only)
            begin, count = (group.begin, group.sequences) if first_only else (group.row, group.sequences * group.length)
            rows = context[begin : begin + count]
            rows.view(found.shape[0], found.shape[2], found.shape[1], found.shape[3]).copy_(found.transpose(1, 2))
        # Spare rows go on through the layers: masked keys may be anything finite.
        return _without_spare(context, len(strip.sequences) if first_only else strip.tokens)

    def _rest(self, context: Tensor, hidden: Tensor) -> Tensor:
        mixed = F.layer_norm(self.output.added(context, hidden), *self.norms[0])
        return F.layer_norm(self.feed_forward(mixed), *self.norms[1])


def _without_spare(rows: Tensor, count: int) -> Tensor:
    if count < len(rows):
        rows[count:].zero_()
    return rows


class PreparedEncoder:
    """An `Encoder` for inference on a processor, in fp32 or bf16.

    Args:
        encoder: its weights are copied; it stays as it is.
        dtype: float32 or bfloat16.
    """

    def __init__(self, encoder: Encoder, *, dtype: torch.dtype) -> None:
        self.config = encoder.config
        self.dtype = dtype
        self.check = encoder.check
        self.layers = _depth(encoder, dtype)
        embeddings = encoder.embeddings
        self.tables = [table.detach() for table in _tables(encoder)]
        self.norm = embeddings.norm
        projection = embeddings.projection
        self.projection = None
        if isinstance(projection, torch.nn.Linear):
            self.projection = PackedLinear(projection.weight, projection.bias, dtype=dtype)
        self.pooler = PackedLinear(encoder.pooler.weight, encoder.pooler.bias, dtype=dtype)
        self._encoder = encoder
        self._places = _places(encoder)
        self._watched = [_in_memory_order(weight.detach()) for weight in _packed(encoder)]
        self._seen = self._checksums()

    def is_current(self) -> bool:
        """Tell whether the encoder's weights are still those that were packed.

        torch counts a tensor's changes, but not those by fused optimizers, through `.data` or through NumPy. Every
        byte is therefore read: 0.2 ms for albert-nano, 2 ms for albert-base, a tenth of what one short text takes.
        """
        return self._places == _places(self._encoder) and self._checksums() == self._seen

    def _checksums(self) -> list[int]:
        return [checksum(weight) for weight in self._watched]

    def __call__(self, batch: Batch, *, first_only: bool = False, threads: int = 1) -> EncoderOutput:
        """Encode a packed batch.

        Args:
            batch: packed arrays.
            first_only: only the first token of each sequence is wanted; the last layer is computed there alone, and
                the output is as if each sequence were that token.
            threads: processor threads; a batch of several sequences is shared out between them.

        Raises:
            UsageError: as `Encoder.forward`.
        """
        self.check(batch)
        workers = min(threads, len(batch), batch.tokens // _WORKER_TOKENS)
        strips = cut(batch, max_tokens=_strip_tokens(batch.tokens, workers), dtype=self.dtype)
        if workers > 1 and len(strips) > 1:
            found = on_workers(lambda strip: self._run(batch, strip, first_only), strips, workers=workers)
        else:
            found = [self._run(batch, strip, first_only) for strip in strips]
        sequences = _inverse(np.concatenate([strip.sequences for strip in strips]))
        pooled = _joined([pooled for _, pooled in found]).index_select(0, sequences)
        hidden = _joined([hidden for hidden, _ in found])
        if first_only:
            return EncoderOutput(hidden.index_select(0, sequences), pooled, torch.ones(len(batch), dtype=torch.int64))
        rows = _inverse(np.concatenate([strip.source for strip in strips]))
        return EncoderOutput(hidden.index_select(0, rows), pooled, torch.from_numpy(batch.lengths.astype(np.int64)))

    def _run(self, batch: Batch, strip: Strip, first_only: bool) -> tuple[Tensor, Tensor]:
        """Return a strip's states, of all tokens or of the first ones, and the pooled output, in the strip's order."""
        count = len(strip.sequences)
        starts = np.zeros(rounded_rows(count, self.dtype), np.int64)
        starts[:count] = strip.starts
        firsts = torch.from_numpy(starts)
        hidden = self.embed(batch, strip)
        for layer in self.layers[:-1] if first_only else self.layers:
            hidden = layer(hidden, strip)
        first = self.layers[-1].first(hidden, strip, firsts) if first_only else hidden.index_select(0, firsts)
        pooled = torch.tanh(self.pooler(first))[:count]
        return (first[:count] if first_only else hidden[: strip.tokens]), pooled

    def embed(self, batch: Batch, strip: Strip) -> Tensor:
        """Return what the first layer takes, `[rows of the strip, H]`."""
        source = np.zeros(strip.rows, np.int64)
        source[: strip.tokens] = strip.source
        word, position, token_type = (
            F.embedding(torch.from_numpy(ids[source].astype(np.int64, copy=False)), table)
            for ids, table in zip((batch.input_ids, batch.positions, batch.token_type_ids), self.tables, strict=True)
        )
        summed = self.norm(word.add_(position).add_(token_type)).to(self.dtype)
        return summed if self.projection is None else self.projection(summed)


def _strip_tokens(tokens: int, workers: int) -> int:
    """Return the most tokens of a strip, so that the workers get equal numbers of strips."""
    if workers <= 1:
        return _STRIP_TOKENS
    rounds = -(-tokens // (workers * _STRIP_TOKENS))
    return -(-tokens // (workers * rounds))


def _joined(parts: Sequence[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(list(parts))


def _inverse(order: IntArray) -> Tensor:
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    return torch.from_numpy(back)


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


def _places(encoder: Encoder) -> tuple[int, ...]:
    """Return how many layers run, and where each weight lies in memory."""
    weights = [*_packed(encoder), *_tables(encoder)]
    return (encoder.active_layers, *(weight.data_ptr() for weight in weights))


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
