"""Linear maps of the layers: one set of weights for all depths, and in bf16 on a processor gradients written by hand.

Letters: tokens T.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from albertkit.hardware.processor import capabilities


def runs_bf16_on_cpu(weight: Tensor) -> bool:
    """Return whether products with this weight now run in bf16 on a processor, through oneDNN."""
    return (
        weight.device.type == "cpu"
        and torch.is_autocast_enabled("cpu")
        and torch.get_autocast_dtype("cpu") is torch.bfloat16
        and capabilities().prepacked_bf16
    )


def linear_forward(hidden: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return `hidden @ weight.T + bias` of tensors of one type, without a gradient; oneDNN adds the bias in passing."""
    if hidden.device.type == "cpu" and hidden.dtype is torch.bfloat16 and capabilities().prepacked_bf16:
        result: Tensor = torch.ops.mkldnn._linear_pointwise(hidden, weight, bias, "none", [], "")
        return result
    return F.linear(hidden, weight, bias)


_TURNED_FROM = 384
"""Columns from which a copy costs less than a product that reads its left side by columns."""

_SPARE = 32
"""Zeros after each row of a transposed copy: rows a power of two apart evict each other from the cache."""


def transposed_product(left: Float[Tensor, "T one"], right: Float[Tensor, "T other"]) -> Float[Tensor, "one other"]:
    """Return `left.T @ right`, as the gradient of a weight is computed.

    oneDNN's bf16 product runs at a third of its speed if its left side is stored transposed. For wide tensors this
    function therefore transposes the narrower one in memory first. The result may be stored transposed, too.
    """
    if min(left.shape[1], right.shape[1]) < _TURNED_FROM:
        return torch.mm(left.t(), right)
    if left.shape[1] <= right.shape[1]:
        return torch.mm(_turned(left), right)
    return torch.mm(_turned(right), left).t()


def _turned(rows: Tensor) -> Tensor:
    count, width = rows.shape
    turned = rows.new_empty(width, count + _SPARE)
    turned[:, count:].zero_()  # oneDNN reads on up to a tile's end, and what it finds there times 0 must be 0
    return turned[:, :count].copy_(rows.t())


class _LinearBf16(torch.autograd.Function):
    """A bf16 linear map through oneDNN: torch's own adds the bias in a pass of its own, at the cost of the product.

    It computes with the copies `weight16` and `bias16`; the gradients go to the weight and bias before them, in fp32,
    and so does their sum over the layers.
    """

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, _: Tensor, __: Tensor, weight16: Tensor, bias16: Tensor) -> Tensor:
        hidden = hidden.to(torch.bfloat16).contiguous()
        ctx.save_for_backward(hidden, weight16)
        return linear_forward(hidden, weight16, bias16)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        hidden, weight16 = ctx.saved_tensors
        gradient = gradient.contiguous()
        to_weight = transposed_product(gradient, hidden).float()
        return torch.mm(gradient, weight16), to_weight, gradient.sum(0).float(), None, None


@dataclass(frozen=True)
class SharedLinear:
    """A linear map as one pass through the network uses it, in every layer that shares its weight."""

    weight: Float[Tensor, "out in"]
    """With its gradient."""
    bias: Float[Tensor, " out"]
    weight16: Tensor | None
    """In bf16, without a gradient, if the processor's products are in bf16: copied once, not once per layer."""
    bias16: Tensor | None

    def __call__(self, hidden: Float[Tensor, "T in"]) -> Float[Tensor, "T out"]:
        """Return `hidden @ weight.T + bias`; bf16 under a processor's bf16 autocast."""
        if self.weight16 is not None and hidden.numel():
            # torch leaves Function.apply untyped.
            result: Tensor = _LinearBf16.apply(hidden, self.weight, self.bias, self.weight16, self.bias16)  # type: ignore[no-untyped-call]
            return result
        return F.linear(hidden, self.weight, self.bias)


def shared_linear(*parts: torch.nn.Linear) -> SharedLinear:
    """Return a linear map, or several side by side as one, for use in one pass under the autocast of this moment."""
    weight: Tensor = parts[0].weight
    bias: Tensor = parts[0].bias
    if len(parts) > 1:
        weight, bias = torch.cat([part.weight for part in parts]), torch.cat([part.bias for part in parts])
    if not runs_bf16_on_cpu(weight):
        return SharedLinear(weight, bias, None, None)
    return SharedLinear(weight, bias, weight.detach().to(torch.bfloat16), bias.detach().to(torch.bfloat16))
