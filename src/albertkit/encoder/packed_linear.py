"""A linear map with its weight in oneDNN's own layout, and what follows it done in passing."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from albertkit.encoder.fbgemm import Fp16Linear

ATTRIBUTES = {"gelu": ("gelu", "none"), "gelu_new": ("gelu", "tanh"), "relu": ("relu", "")}
"""Activation of a configuration -> oneDNN's name and algorithm."""

_ROWS = 256
"""The layout that oneDNN picks hardly depends on the rows of the input, so one number of rows serves all."""


class Linear(Protocol):
    """A linear map whose weight was packed once, by oneDNN or FBGEMM."""

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
    """Return `x @ weight.T + bias` with the weight packed.

    Args:
        weight: `[out, in]`.
        bias: `[out]`.
        dtype: type of the weight: float32 or bfloat16 (oneDNN), or float16 (FBGEMM); see `states_dtype`.
    """
    return Fp16Linear(weight, bias) if dtype is torch.float16 else PackedLinear(weight, bias, dtype=dtype)


def states_dtype(dtype: torch.dtype) -> torch.dtype:
    """Return the type of inputs and outputs where the weights have this type: fp32 with weights in fp16."""
    return torch.float32 if dtype is torch.float16 else dtype


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
