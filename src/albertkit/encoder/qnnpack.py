"""QNNPACK's int8 products, for ARM and macOS: PyTorch has them on every processor.

PyTorch's operator measures the range of its inputs in each call, so a text's output would depend on its neighbours.
Here one more row holds the ends of a range that was measured once, and all other rows are clamped to it.
"""

from __future__ import annotations

import torch
from torch import Tensor

from albertkit.encoder.fbgemm import Int8Weight, Product, direct

LEVELS = 255
"""Largest rounded input: products are added in 32 bits."""


class QnnpackWeight(Int8Weight):
    """A weight `[out, in]` of QNNPACK's products, with a scale for each output, and a bias `[out]`."""

    engine = "qnnpack"


class QnnpackLinear(Product):
    """`x @ weight.T + bias` with an int8 weight, and inputs rounded to 8 bits on the way in; outputs are fp32.

    Calls with the same weight wait for each other and use all threads of PyTorch.

    Args:
        weight: several depths may share it; two inputs or more.
        low: the smallest input that is kept, at most 0.
        high: the largest input that is kept, above 0.
        factors: inputs are divided by these first, `[in]`, and the weight's columns were multiplied by them.
    """

    def __init__(self, weight: QnnpackWeight, *, low: float, high: float, factors: Tensor | None = None) -> None:
        self.weight = weight.packed
        self.low, self.high = low, high
        self.scale = (high - low) / LEVELS
        self.factors = None if factors is None else 1 / factors
        self.product = direct(torch.ops.quantized.linear_dynamic)

    def __call__(self, hidden: Tensor) -> Tensor:
        """Return the linear map of `[T, in]`."""
        rows = len(hidden)
        framed = hidden.new_empty(rows + 1, hidden.shape[1])
        even = hidden if self.factors is None else hidden * self.factors
        torch.clamp(even, self.low, self.high, out=framed[:rows])
        framed[rows] = self.low
        framed[rows, 0] = self.high
        return self.product(framed, self.weight)[:rows]
