"""The feed-forward products in int8: two thirds of a layer's products and weights; all else stays as it is.

Weights have a scale for each output. The states differ from depth to depth though the weights are the same, so each
depth has scales of its own, measured once on given texts: what comes out for a text never depends on its neighbours.
Channels of the input are evened out first (SmoothQuant, Xiao et al. 2023, equation 4 with alpha 0.5). No factor can
reach the activation's channels between two products: its output gets the one scale with the least squared error.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor

from albertkit.batching.batch import Batch
from albertkit.batching.cutting import longest_first
from albertkit.encoder.layer import Layer
from albertkit.encoder.packed_linear import ATTRIBUTES
from albertkit.encoder.prepared import FeedForward, PreparedEncoder, PreparedLayer, PreparedWalk
from albertkit.encoder.walk import full_depth

_CLIPS = tuple(round(0.3 + 0.05 * step, 2) for step in range(15))
"""Shares of the largest output that are tried as the largest one kept."""

_SAMPLE = 200_000
"""About so many of a depth's outputs choose its scale."""

_LOWEST = {"gelu": 0.17, "gelu_new": 0.17, "relu": 0.0}
"""How far an activation goes below 0: min GELU is -0.16997 at -0.7518."""


class _Int8Weight:
    """A weight `[out, in]` in int8, with a scale for each output."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        scales = weight.abs().amax(1).clamp_min(1e-12) / 127
        whole = torch.round(weight / scales[:, None]).to(torch.int8)
        self.weight = torch.ops.onednn.qlinear_prepack(whole, [256, weight.shape[1]])
        self.scales, self.zeros = scales, torch.zeros(len(scales), dtype=torch.int64)
        self.bias = bias


class _Seen:
    """Replaces a depth's feed-forward part while it is measured."""

    def __init__(self, inner: Callable[[Tensor], Tensor], *, tokens: int, lowest: float) -> None:
        assert isinstance(inner, FeedForward)
        self.inner = inner
        self.tokens = tokens
        self.lowest = lowest
        self.largest = torch.zeros(0)
        self.kept = 0.0

    def __call__(self, mixed: Tensor) -> Tensor:
        activated = self.inner.up.activated(mixed, self.inner.activation)
        self.largest = mixed[: self.tokens].float().abs().amax(0).clamp_min(1e-5)
        self.kept = _largest_kept(activated[: self.tokens].float(), self.lowest)
        return self.inner.down.added(activated, mixed)


class _Int8FeedForward:
    """A depth's feed-forward part."""

    def __init__(
        self, up: _Int8Weight, down: _Int8Weight, *, activation: str, factors: Tensor, scale: float, largest: float
    ) -> None:
        self.up, self.down = up, down
        self.activation = ATTRIBUTES[activation]
        self.to_whole = 1 / (factors * scale)
        self.scale = scale
        lowest = _LOWEST[activation]
        self.inner_scale = (largest + lowest) / 255
        self.inner_zero = round(lowest / self.inner_scale)

    def __call__(self, mixed: Tensor) -> Tensor:
        """Return `down(activation(up(mixed))) + mixed`, `[T, H]`."""
        whole = mixed.mul(self.to_whole.to(mixed.dtype)).round_().clamp_(-127, 127).to(torch.int8)
        up, down = self.up, self.down
        name, algorithm = self.activation
        inner = torch.ops.onednn.qlinear_pointwise(
            whole, self.scale, 0, up.weight, up.scales, up.zeros, up.bias,
            self.inner_scale, self.inner_zero, torch.uint8, name, [], algorithm,
        )  # fmt: skip
        result: Tensor = torch.ops.onednn.qlinear_pointwise.binary(
            inner, self.inner_scale, self.inner_zero, down.weight, down.scales, down.zeros, mixed, down.bias,
            1.0, 0, mixed.dtype, 1.0, 0, "add", 1.0, "none", [], "",
        )  # fmt: skip
        return result


def with_int8_products(prepared: PreparedEncoder, sample: Batch) -> None:
    """Put int8 products into a prepared encoder.

    Args:
        prepared: in fp32 or bf16; changed in place.
        sample: its states give the scales: a thousand tokens or so of ordinary text.
    """
    depths = prepared.layers
    seen = [_Seen(layer.feed_forward, tokens=sample.tokens, lowest=_LOWEST[layer.activation]) for layer in depths]
    prepared.layers = [_at_depth(layer, one) for layer, one in zip(depths, seen, strict=True)]
    with torch.inference_mode():
        full_depth(PreparedWalk(prepared, sample.take(longest_first(sample.lengths))))
    made: dict[int, tuple[_Int8Weight, _Int8Weight, Tensor]] = {}
    found = []
    for layer, one in zip(depths, seen, strict=True):
        if id(layer) not in made:
            own = [one.largest for one, other in zip(seen, depths, strict=True) if other is layer]
            made[id(layer)] = _quantized(layer.source, torch.stack(own).amax(0))
        up, down, factors = made[id(layer)]
        scale = float((one.largest / factors).amax()) / 127
        whole = _Int8FeedForward(up, down, activation=layer.activation, factors=factors, scale=scale, largest=one.kept)
        found.append(_at_depth(layer, whole))
    prepared.layers = found


def _at_depth(layer: PreparedLayer, feed_forward: Callable[[Tensor], Tensor]) -> PreparedLayer:
    found = copy.copy(layer)
    found.feed_forward = feed_forward
    return found


def _quantized(layer: Layer, largest: Tensor) -> tuple[_Int8Weight, _Int8Weight, Tensor]:
    """Return both weights and the factor of each input channel."""
    up, down = layer.ffn.up, layer.ffn.down
    weight = up.weight.detach().float()
    factors = (largest / weight.abs().amax(0).clamp_min(1e-5)).sqrt()
    return (
        _Int8Weight(weight * factors, up.bias.detach().float()),
        _Int8Weight(down.weight.detach().float(), down.bias.detach().float()),
        factors,
    )


def _largest_kept(activated: Tensor, lowest: float) -> float:
    """Return the largest output that the scale with the least squared error can hold."""
    top = max(float(activated.max()), 1e-3)
    numbers = activated.flatten()
    numbers = numbers[:: len(numbers) // _SAMPLE + 1]
    errors = []
    for clip in _CLIPS:
        scale = (clip * top + lowest) / 255
        zero = round(lowest / scale)
        again = ((numbers / scale).round_().add_(zero).clamp_(0, 255) - zero) * scale
        errors.append(float((again - numbers).square().mean()))
    return top * _CLIPS[errors.index(min(errors))]
