"""A linear map with its weight in oneDNN's own layout, and what follows it done in passing; a plain one elsewhere."""

from __future__ import annotations

from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from albertkit.encoder.fbgemm import Fp16Linear, Product
from albertkit.hardware.processor import capabilities

ATTRIBUTES = {"gelu": ("gelu", "none"), "gelu_new": ("gelu", "tanh"), "relu": ("relu", "")}
"""Activation of a configuration -> oneDNN's name and algorithm."""

_ROWS = 256
"""The layout that oneDNN picks hardly depends on the rows of the input, so one number of rows serves all."""


class Linear(Protocol):
    """A linear map whose weight was packed once, by whichever library packs here."""

    def __call__(self, hidden: Tensor) -> Tensor:
        """Return the linear map of `[T, in]`."""
        ...

    def activated(self, hidden: Tensor, activation: str) -> Tensor:
        """Return the activation of the linear map."""
        ...

    def added(self, hidden: Tensor, residual: Tensor) -> Tensor:
        """Return the linear map plus `residual` `[T, out]`."""
        ...


def pack(weight: Tensor, bias: Tensor, *, dtype: torch.dtype) -> Linear:
    """Return `x @ weight.T + bias` with the weight packed; in fp32 as it is where nothing is prepacked.

    Args:
        weight: `[out, in]`.
        bias: `[out]`.
        dtype: type of the weight: float32 or bfloat16 (oneDNN), or float16 (FBGEMM); see `states_dtype`.
    """
    if dtype is torch.float16:
        return Fp16Linear(weight, bias)
    return PackedLinear(weight, bias, dtype=dtype) if capabilities().prepacked else PlainLinear(weight, bias)


def states_dtype(dtype: torch.dtype) -> torch.dtype:
    """Return the type of inputs and outputs where the weights have this type: fp32 with weights in fp16."""
    return torch.float32 if dtype is torch.float16 else dtype


class PlainLinear(Product):
    """`x @ weight.T + bias` in fp32 by PyTorch's own operator.

    Args:
        weight: `[out, in]`.
        bias: `[out]`.
    """

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        self.weight, self.bias = weight.detach().float(), bias.detach().float()

    def __call__(self, hidden: Tensor) -> Tensor:
        """Return the linear map of `[T, in]`."""
        return F.linear(hidden, self.weight, self.bias)


class PackedLinear:
    """`x @ weight.T + bias` in fp32 or bf16.

    Args:
        weight: `[out, in]`.
        bias: `[out]`.
        dtype: type of inputs, weight and outputs: float32 or bfloat16.
    """

    def __init__(self, weight: Tensor, bias: Tensor, *, dtype: torch.dtype) -> None:
        self.weight = torch.ops.mkldnn._reorder_linear_weight(weight.detach().to(dtype).contiguous(), _ROWS)
        self.bias = bias.detach().to(dtype)

    def __call__(self, hidden: Tensor) -> Tensor:
        """Return the linear map of `[T, in]`."""
        result: Tensor = torch.ops.mkldnn._linear_pointwise(hidden, self.weight, self.bias, "none", [], "")
        return result

    def activated(self, hidden: Tensor, activation: str) -> Tensor:
        """Return the activation of the linear map."""
        name, algorithm = ATTRIBUTES[activation]
        result: Tensor = torch.ops.mkldnn._linear_pointwise(hidden, self.weight, self.bias, name, [], algorithm)
        return result

    def added(self, hidden: Tensor, residual: Tensor) -> Tensor:
        """Return the linear map plus `residual` `[T, out]`."""
        result: Tensor = torch.ops.mkldnn._linear_pointwise.binary(hidden, residual, self.weight, self.bias, "add")
        return result
