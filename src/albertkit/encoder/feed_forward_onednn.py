"""The feed-forward products in int8 through oneDNN, on processors with int8 instructions.

The activation, the rounding of its output and the residual are part of the products.
"""

from __future__ import annotations

import torch
from torch import Tensor

from albertkit.encoder.packed_linear import ATTRIBUTES


class OneDnnWeight:
    """A weight `[out, in]` in int8, with a scale for each output."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        weight = weight.detach()
        scales = weight.abs().amax(1).clamp_min(1e-12) / 127
        whole = torch.round(weight / scales[:, None]).to(torch.int8)
        self.weight = torch.ops.onednn.qlinear_prepack(whole, [256, weight.shape[1]])
        self.scales, self.zeros = scales, torch.zeros(len(scales), dtype=torch.int64)
        self.bias = bias.detach().float()


class OneDnnFeedForward:
    """A depth's feed-forward part with inputs of 8 bits; the activation and the rounding are part of the product.

    Args:
        up: its weight has the factors in it.
        down: the weight of the second product.
        activation: name of the activation.
        factors: of the input's channels, `[H]`.
        reach: the largest input, after its factor.
        low: the smallest output of the activation.
        high: the largest one that is kept.
    """

    def __init__(
        self,
        up: OneDnnWeight,
        down: OneDnnWeight,
        *,
        activation: str,
        factors: Tensor,
        reach: float,
        low: float,
        high: float,
    ) -> None:
        self.up, self.down = up, down
        self.activation = ATTRIBUTES[activation]
        self.scale = reach / 127
        self.to_whole = 1 / (factors * self.scale)
        self.inner_scale = (high - low) / 255
        self.inner_zero = round(-low / self.inner_scale)

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
