"""The encoder made ready for inference on a processor: weights packed once, passes over memory fused, no padding.

ALBERT's layers share their weights, so one packed set serves every depth and stays in the cache. Letters: tokens T,
sequences of one group n, their length s, heads h, size of a head d, hidden H = h * d, intermediate I.
"""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from albertkit.batch import Batch, IntArray
from albertkit.model.encoder import Encoder, EncoderOutput
from albertkit.model.layer import Group, Layer

_ATTRIBUTES = {"gelu": ("gelu", "none"), "gelu_new": ("gelu", "tanh"), "relu": ("relu", "")}
"""Activation of a configuration -> oneDNN's name and algorithm."""

_SAMPLE = 8
"""Rows and columns of each weight, spread over it, whose numbers tell whether it has changed."""


def can_prepare(device: torch.device, dtype: torch.dtype) -> bool:
    """Tell whether the processor, and PyTorch's build of oneDNN, have products with packed weights of this type."""
    if device.type != "cpu" or platform.machine() not in ("x86_64", "AMD64"):
        return False
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    return dtype is torch.float32 or (dtype is torch.bfloat16 and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()))


@dataclass(frozen=True)
class _Group:
    """Sequences of equal length that stand one after the other."""

    row: int
    """Row of their first token."""
    sequences: int
    """n."""
    length: int
    """s."""

    @property
    def rows(self) -> slice:
        return slice(self.row, self.row + self.sequences * self.length)


class PackedLinear:
    """`x @ weight.T + bias` with the weight in oneDNN's own layout, with what follows it done in passing.

    Args:
        weight: `[out, in]`.
        bias: `[out]`.
        dtype: of inputs, weight and outputs: float32 or bfloat16.
    """

    def __init__(self, weight: Tensor, bias: Tensor, *, dtype: torch.dtype) -> None:
        # The layout that oneDNN picks hardly depends on the rows of the input; a mid-sized batch stands for all.
        self.weight = torch.ops.mkldnn._reorder_linear_weight(weight.detach().to(dtype).contiguous(), 1024)
        self.bias = bias.detach().to(dtype)

    def __call__(self, hidden: Tensor) -> Tensor:
        """Return the linear map of `[T, in]`."""
        result: Tensor = torch.ops.mkldnn._linear_pointwise(hidden, self.weight, self.bias, "none", [], "")
        return result

    def activated(self, hidden: Tensor, activation: str) -> Tensor:
        """Return the activation of the linear map."""
        name, algorithm = _ATTRIBUTES[activation]
        result: Tensor = torch.ops.mkldnn._linear_pointwise(hidden, self.weight, self.bias, name, [], algorithm)
        return result

    def added(self, hidden: Tensor, residual: Tensor) -> Tensor:
        """Return the linear map plus `residual` `[T, out]`."""
        result: Tensor = torch.ops.mkldnn._linear_pointwise.binary(hidden, residual, self.weight, self.bias, "add")
        return result


class PreparedLayer:
    """One layer's weights, packed."""

    def __init__(self, layer: Layer, *, dtype: torch.dtype) -> None:
        attention, ffn = layer.attention, layer.ffn
        parts = (attention.query, attention.key, attention.value)
        weight, bias = torch.cat([part.weight for part in parts]), torch.cat([part.bias for part in parts])
        width = len(attention.query.bias)
        self.heads = attention.num_heads
        self.activation = ffn.activation
        self.projections = PackedLinear(weight, bias, dtype=dtype)
        self.query = PackedLinear(weight[:width], bias[:width], dtype=dtype)
        self.key_value = PackedLinear(weight[width:], bias[width:], dtype=dtype)
        self.output = PackedLinear(attention.output.weight, attention.output.bias, dtype=dtype)
        self.up = PackedLinear(ffn.up.weight, ffn.up.bias, dtype=dtype)
        self.down = PackedLinear(ffn.down.weight, ffn.down.bias, dtype=dtype)
        self.norms = [
            ((len(norm.weight),), norm.weight.detach().to(dtype), norm.bias.detach().to(dtype), norm.eps)
            for norm in (attention.norm, ffn.norm)
        ]

    def __call__(self, hidden: Tensor, groups: Sequence[_Group]) -> Tensor:
        """Apply the layer to `[T, H]`."""
        projected = self.projections(hidden).view(len(hidden), 3, -1)
        contexts = [
            self._attend(*projected[group.rows].view(group.sequences, group.length, 3, self.heads, -1).unbind(2))
            for group in groups
        ]
        return self._rest(contexts[0] if len(contexts) == 1 else torch.cat(contexts), hidden)

    def first(self, hidden: Tensor, groups: Sequence[_Group], starts: Tensor) -> Tensor:
        """Apply the layer at the first token of each sequence alone: `[sequences, H]`."""
        wanted = hidden.index_select(0, starts)
        query = self.query(wanted)
        key_value = self.key_value(hidden).view(len(hidden), 2, -1)
        contexts = []
        begin = 0
        for group in groups:
            own = query[begin : begin + group.sequences].view(group.sequences, 1, self.heads, -1)
            key, value = key_value[group.rows].view(group.sequences, group.length, 2, self.heads, -1).unbind(2)
            contexts.append(self._attend(own, key, value))
            begin += group.sequences
        return self._rest(contexts[0] if len(contexts) == 1 else torch.cat(contexts), wanted)

    @staticmethod
    def _attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Return the context `[n * s, H]` of `[n, s, h, d]` each."""
        context = F.scaled_dot_product_attention(query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2))
        return context.transpose(1, 2).flatten(0, 1).flatten(1)

    def _rest(self, context: Tensor, hidden: Tensor) -> Tensor:
        mixed = F.layer_norm(self.output.added(context, hidden), *self.norms[0])
        inner = self.up.activated(mixed, self.activation)
        return F.layer_norm(self.down.added(inner, mixed), *self.norms[1])


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
        self.tables = [table.weight.detach() for table in (embeddings.word, embeddings.position, embeddings.token_type)]
        self.norm = embeddings.norm
        projection = embeddings.projection
        self.projection = None
        if isinstance(projection, torch.nn.Linear):
            self.projection = PackedLinear(projection.weight, projection.bias, dtype=dtype)
        self.pooler = PackedLinear(encoder.pooler.weight, encoder.pooler.bias, dtype=dtype)
        self._encoder = encoder
        self._places = _places(encoder)
        self._watched = [_spread(weight.detach()) for weight in _packed(encoder)]
        self._seen = self._sample()

    def is_current(self) -> bool:
        """Tell whether the encoder's weights are still those that were packed.

        Fused optimizers write to weights without leaving a mark on them, so a sample of every weight is compared.
        """
        return self._places == _places(self._encoder) and torch.equal(self._sample(), self._seen)

    def _sample(self) -> Tensor:
        return torch.cat([numbers.reshape(-1) for numbers in self._watched])

    def __call__(self, batch: Batch, *, first_only: bool = False) -> EncoderOutput:
        """Encode a packed batch.

        Args:
            batch: packed arrays.
            first_only: only the first token of each sequence is wanted; the last layer is computed there alone, and
                the output is as if each sequence were that token.

        Raises:
            UsageError: as `Encoder.forward`.
        """
        self.check(batch)
        order, groups, rows = _by_length(batch)
        hidden = self._embed(batch, rows)
        starts = torch.from_numpy(np.concatenate([[0], np.cumsum(batch.lengths[order])[:-1]]))
        for layer in self.layers[:-1] if first_only else self.layers:
            hidden = layer(hidden, groups)
        first = self.layers[-1].first(hidden, groups, starts) if first_only else hidden.index_select(0, starts)
        first = first.index_select(0, torch.from_numpy(_inverse(order)))
        pooled = torch.tanh(self.pooler(first))
        if first_only:
            return EncoderOutput(first, pooled, torch.ones(len(batch), dtype=torch.int64))
        tokens = hidden.index_select(0, torch.from_numpy(_inverse(rows)))
        return EncoderOutput(tokens, pooled, torch.from_numpy(batch.lengths.astype(np.int64)))

    def _embed(self, batch: Batch, rows: IntArray) -> Tensor:
        word, position, token_type = (
            F.embedding(torch.from_numpy(ids[rows].astype(np.int64, copy=False)), table)
            for ids, table in zip((batch.input_ids, batch.positions, batch.token_type_ids), self.tables, strict=True)
        )
        summed = self.norm(word.add_(position).add_(token_type)).to(self.dtype)
        return summed if self.projection is None else self.projection(summed)


def _packed(encoder: Encoder) -> list[Tensor]:
    """Return the weights that are copied; the tables of the embeddings and their norm are used where they are."""
    embeddings = encoder.embeddings
    modules = [*encoder.groups, encoder.pooler, embeddings.projection]
    return [weight for module in modules for weight in module.parameters()]


def _spread(weight: Tensor) -> Tensor:
    """Return a view of some numbers of a weight; weights from other formats may be transposed in memory."""
    for dimension, size in enumerate(weight.shape):
        steps = [slice(None)] * weight.ndim
        steps[dimension] = slice(None, None, size // _SAMPLE + 1)
        weight = weight[tuple(steps)]
    return weight


def _places(encoder: Encoder) -> tuple[int, ...]:
    return (encoder.active_layers, *(weight.data_ptr() for weight in _packed(encoder)))


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


def _by_length(batch: Batch) -> tuple[IntArray, list[_Group], IntArray]:
    """Return the order of the sequences by length, groups of equal length, and the row that each sorted row was."""
    order = np.argsort(batch.lengths, kind="stable")
    lengths = batch.lengths[order]
    groups: list[_Group] = []
    row = 0
    for length, count in zip(*np.unique(lengths, return_counts=True), strict=True):
        groups.append(_Group(row, int(count), int(length)))
        row += int(count) * int(length)
    ends = np.cumsum(lengths)
    rows = np.arange(batch.tokens) + np.repeat(batch.starts[order] - (ends - lengths), lengths)
    return order, groups, rows


def _inverse(order: IntArray) -> IntArray:
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    return back
