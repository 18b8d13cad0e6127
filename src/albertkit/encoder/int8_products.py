"""int8 products with scales that are measured once; what is not a product stays as it is.

    oneDNN (AMX)                      the two products of the feed-forward part       feed_forward_onednn.py
    FBGEMM (other x86 with AVX2)      all four products of a layer                    fbgemm.py
    QNNPACK (ARM, macOS)              the same                                        qnnpack.py

Weights have a scale for each output. The states differ from depth to depth though the weights are the same, so each
depth has scales of its own, measured once on given texts: what comes out for a text never depends on its neighbours.
Channels of all inputs but one are evened out first (SmoothQuant, Xiao et al. 2023, equation 4). No factor can reach the
activation's channels between two products: its output gets the one scale with the least squared error.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from albertkit.batching.batch import Batch
from albertkit.batching.cutting import longest_first
from albertkit.encoder.fbgemm import Int8Linear, Int8Weight, input_levels
from albertkit.encoder.feed_forward_onednn import OneDnnFeedForward, OneDnnWeight
from albertkit.encoder.packed_linear import Linear
from albertkit.encoder.prepared import FeedForward, PreparedEncoder, PreparedLayer, PreparedWalk
from albertkit.encoder.qnnpack import LEVELS, QnnpackLinear, QnnpackWeight
from albertkit.encoder.walk import full_depth
from albertkit.hardware.processor import capabilities

_CLIPS = tuple(round(0.3 + 0.05 * step, 2) for step in range(15))
"""Shares of the largest output that are tried as the largest one kept."""

_ALPHA = 0.5
"""Share of the inputs' spread between channels that moves into the weights."""

_ALPHA_ALL = 0.8
"""With all four products: the vectors of albert-nano v3 have a mean cosine with those of fp32 of 0.925 with 0.8, 0.924
with 0.95 and 0.917 with 0.5."""

_SAMPLE = 200_000
"""About so many of a depth's outputs choose its scale."""

_LOWEST = {"gelu": 0.17, "gelu_new": 0.17, "relu": 0.0}
"""How far an activation goes below 0: min GELU is -0.16997 at -0.7518."""


class _Watched:
    """Replaces a product of a depth and sees its inputs."""

    def __init__(self, linear: Linear, *, tokens: int) -> None:
        self.linear, self.tokens = linear, tokens
        self.largest = self.some = torch.zeros(0)
        """The largest absolute input of each channel; and some of all inputs."""
        self.highest = 0.0
        """The highest of all inputs."""

    def __call__(self, hidden: Tensor) -> Tensor:
        """Return the linear map."""
        return self.linear(self._seen(hidden))

    def activated(self, hidden: Tensor, activation: str) -> Tensor:
        """Return the activation of the linear map."""
        return self.linear.activated(self._seen(hidden), activation)

    def added(self, hidden: Tensor, residual: Tensor) -> Tensor:
        """Return the linear map plus `residual`."""
        return self.linear.added(self._seen(hidden), residual)

    def _seen(self, hidden: Tensor) -> Tensor:
        inputs = hidden[: self.tokens].float()
        self.largest = inputs.abs().amax(0).clamp_min(1e-5)
        numbers = inputs.flatten()
        self.some = numbers[:: len(numbers) // _SAMPLE + 1].clone()
        self.highest = float(numbers.max())
        return hidden


@dataclass(frozen=True)
class _Depth:
    """A layer at one depth, and its products' inputs."""

    layer: PreparedLayer
    projections: _Watched
    output: _Watched
    up: _Watched
    down: _Watched

    @classmethod
    def watch(cls, layer: PreparedLayer, *, tokens: int) -> _Depth:
        """Return a copy of a layer whose products are watched."""
        feed_forward = layer.feed_forward
        assert isinstance(feed_forward, FeedForward)
        parts = (layer.projections, layer.output, feed_forward.up, feed_forward.down)
        watched = [_Watched(part, tokens=tokens) for part in parts]
        found = copy.copy(layer)
        found.projections, found.output = watched[:2]
        found.feed_forward = FeedForward(watched[2], watched[3], activation=layer.activation)
        return cls(found, *watched)


def with_int8_products(prepared: PreparedEncoder, sample: Batch) -> None:
    """Put int8 products into a prepared encoder.

    Args:
        prepared: in any type; changed in place.
        sample: its states give the scales: a thousand tokens or so of ordinary text.
    """
    layers = prepared.layers
    depths = [_Depth.watch(layer, tokens=sample.tokens) for layer in layers]
    prepared.layers = [depth.layer for depth in depths]
    with torch.inference_mode():
        full_depth(PreparedWalk(prepared, sample.take(longest_first(sample.lengths))))
    found_here = capabilities()
    quantize: Callable[[PreparedLayer, Sequence[_Depth]], list[PreparedLayer]]
    if found_here.int8:
        quantize = _with_onednn
    elif found_here.fbgemm:
        quantize = partial(_with_all_products, weight_type=Int8Weight, linear_type=Int8Linear, levels=input_levels())
    else:
        quantize = partial(_with_all_products, weight_type=QnnpackWeight, linear_type=QnnpackLinear, levels=LEVELS)
        prepared.shares_out = False  # its products use all threads, one after the other
    found: dict[int, PreparedLayer] = {}
    for layer in layers:
        own = [number for number, other in enumerate(layers) if other is layer]
        if own[0] not in found:
            found.update(zip(own, quantize(layer, [depths[number] for number in own]), strict=True))
    prepared.layers = [found[number] for number in range(len(layers))]


def _with_onednn(layer: PreparedLayer, depths: Sequence[_Depth]) -> list[PreparedLayer]:
    """Return a layer at each of its depths, with the feed-forward part in int8."""
    up, down = layer.source.ffn.up, layer.source.ffn.down
    factors = _factors([depth.up for depth in depths], up.weight, alpha=_ALPHA)
    weights = OneDnnWeight(up.weight.float() * factors, up.bias), OneDnnWeight(down.weight.float(), down.bias)
    found = []
    for depth in depths:
        at_depth = copy.copy(layer)
        low, high = _activated_range(depth.down, layer.activation, levels=255)
        at_depth.feed_forward = OneDnnFeedForward(
            *weights,
            activation=layer.activation,
            factors=factors,
            reach=float((depth.up.largest / factors).amax()),
            low=low,
            high=high,
        )
        found.append(at_depth)
    return found


def _with_all_products(
    layer: PreparedLayer,
    depths: Sequence[_Depth],
    *,
    weight_type: Callable[[Tensor, Tensor], Any],
    linear_type: Callable[..., Linear],
    levels: int,
) -> list[PreparedLayer]:
    """Return a layer at each of its depths, with all products in int8.

    Args:
        layer: its source has the weights.
        depths: what its products take there.
        weight_type: packs a weight and a bias for a library.
        linear_type: that library's product.
        levels: the largest rounded input of that product.
    """
    attention, ffn = layer.source.attention, layer.source.ffn
    parts = (attention.query, attention.key, attention.value)
    weight, bias = torch.cat([part.weight for part in parts]).float(), torch.cat([part.bias for part in parts])
    width = len(attention.query.bias)
    to_projections = _factors([depth.projections for depth in depths], weight, alpha=_ALPHA_ALL)
    to_output = _factors([depth.output for depth in depths], attention.output.weight, alpha=_ALPHA_ALL)
    to_up = _factors([depth.up for depth in depths], ffn.up.weight, alpha=_ALPHA_ALL)
    weight = weight * to_projections
    projections, query = weight_type(weight, bias), weight_type(weight[:width], bias[:width])
    key_value = weight_type(weight[width:], bias[width:])
    output = weight_type(attention.output.weight.float() * to_output, attention.output.bias)
    up, down = (
        weight_type(ffn.up.weight.float() * to_up, ffn.up.bias),
        weight_type(ffn.down.weight.float(), ffn.down.bias),
    )
    found = []
    for depth in depths:
        at_depth = copy.copy(layer)
        reach = float((depth.projections.largest / to_projections).amax())
        at_depth.projections, at_depth.query, at_depth.key_value = (
            linear_type(each, low=-reach, high=reach, factors=to_projections)
            for each in (projections, query, key_value)
        )
        reach = float((depth.output.largest / to_output).amax())
        at_depth.output = linear_type(output, low=-reach, high=reach, factors=to_output)
        reach = float((depth.up.largest / to_up).amax())
        low, high = _activated_range(depth.down, layer.activation, levels=levels)
        at_depth.feed_forward = FeedForward(
            linear_type(up, low=-reach, high=reach, factors=to_up),
            linear_type(down, low=low, high=high),
            activation=layer.activation,
        )
        found.append(at_depth)
    return found


def _factors(products: Sequence[_Watched], weight: Tensor, *, alpha: float) -> Tensor:
    """Return a divisor of each input channel that serves a product at all its depths."""
    largest = torch.stack([product.largest for product in products]).amax(0)
    of_weight = weight.detach().float().abs().amax(0).clamp_min(1e-5)
    return largest**alpha / of_weight ** (1 - alpha)


def _activated_range(down: _Watched, activation: str, *, levels: int) -> tuple[float, float]:
    """Return the smallest and the largest output that the scale with the least squared error can hold."""
    lowest = _LOWEST[activation]
    activated, top = down.some, max(down.highest, 1e-3)
    errors = []
    for clip in _CLIPS:
        scale = (clip * top + lowest) / levels
        zero = round(lowest / scale)
        again = ((activated / scale).round_().add_(zero).clamp_(0, levels) - zero) * scale
        errors.append(float((again - activated).square().mean()))
    return -lowest, top * _CLIPS[errors.index(min(errors))]
