"""FBGEMM's products: weights in half or a quarter of the bytes, for processors without bf16 and int8 instructions.

A single short text reads a layer's weights from memory at every depth, and the reading takes most of its time. This is
the only module that calls these operators, which PyTorch calls old: `capabilities().fbgemm` says whether this PyTorch
and this processor have them. PyTorch for ARM has FBGEMM without its int8 products; those with fp16 weights end the
process on ARM processors without FHM. It is used only on x86.
"""

from __future__ import annotations

import threading
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from albertkit.encoder.layer import activate
from albertkit.errors import UsageError
from albertkit.hardware.processor import capabilities

LARGEST_FP16 = 65504.0
"""Largest number of fp16."""

LARGEST_WEIGHT = 127
"""Largest rounded weight of an int8 product."""


_lock = threading.RLock()  # the engine belongs to the process


class Product(ABC):
    """A linear map by an operator that does only this; activation and residual follow it."""

    @abstractmethod
    def __call__(self, hidden: Tensor) -> Tensor:
        """Return the linear map of `[T, in]`."""

    def activated(self, hidden: Tensor, activation: str) -> Tensor:
        """Return the activation of the linear map."""
        return activate(self(hidden), activation)

    def added(self, hidden: Tensor, residual: Tensor) -> Tensor:
        """Return the linear map plus `residual` `[T, out]`."""
        return self(hidden).add_(residual)


class Fp16Linear(Product):
    """`x @ weight.T + bias` with the weight in fp16; inputs, sums and outputs are fp32.

    Args:
        weight: `[out, in]`.
        bias: `[out]`.

    Raises:
        UsageError: fp16 cannot hold a weight.
    """

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        weight = weight.detach().float().contiguous()
        largest = float(weight.abs().max())
        if not largest <= LARGEST_FP16:
            raise UsageError(
                f"a weight of the encoder is {largest:g}, and fp16 holds numbers up to {LARGEST_FP16:g}: "
                "use --precision fp32"
            )
        with _packing_for("fbgemm"):
            self.weight = torch.ops.quantized.linear_prepack_fp16(weight, bias.detach().float())
        self.product = direct(torch.ops.quantized.linear_dynamic_fp16)

    def __call__(self, hidden: Tensor) -> Tensor:
        """Return the linear map of `[T, in]`."""
        return self.product(hidden, self.weight)


class Int8Weight:
    """A weight `[out, in]` of int8 products, with a scale for each output, and a bias `[out]`."""

    engine = "fbgemm"
    """PyTorch's name of the library that packs it and multiplies with it."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        weight = weight.detach()
        scales = weight.abs().amax(1).clamp_min(1e-12) / LARGEST_WEIGHT
        zeros = torch.zeros(len(scales), dtype=torch.int64)
        with _packing_for(self.engine), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # a later PyTorch will have no tensors of this kind
            whole = torch.quantize_per_channel(weight, scales.double(), zeros, 0, torch.qint8)
            self.packed = torch.ops.quantized.linear_prepack(whole, bias.detach().float())


class Int8Linear(Product):
    """`x @ weight.T + bias` with an int8 weight, and inputs rounded on the way in; outputs are fp32.

    Args:
        weight: several depths may share it.
        low: the smallest input that is kept, at most 0; what is below counts as this one.
        high: the largest input that is kept, above 0.
        factors: inputs are divided by these first, `[in]`, and the weight's columns were multiplied by them.
        levels: the largest rounded input; `input_levels()` when left out.
    """

    def __init__(
        self,
        weight: Int8Weight,
        *,
        low: float,
        high: float,
        factors: Tensor | None = None,
        levels: int | None = None,
    ) -> None:
        self.weight = weight.packed
        levels = levels or input_levels()
        scale = (high - low) / levels
        # 8 bits end where the operator ends; fewer must end before.
        self.range = None if levels == 255 else (low, high)
        self.scale, self.zero = torch.tensor(scale), torch.tensor(round(-low / scale))
        self.factors = None if factors is None else 1 / factors
        self.product = direct(torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32)

    def __call__(self, hidden: Tensor) -> Tensor:
        """Return the linear map of `[T, in]`."""
        even = hidden if self.factors is None else hidden * self.factors
        if self.range is not None:
            even = even.clamp(*self.range)
        return self.product(even, self.scale, self.zero, self.weight)


def input_levels() -> int:
    """Return the largest rounded input of an int8 product on this processor.

    Inputs have 8 bits where products are added in 32 bits. AVX2 adds two of them in 16 bits, which hold 2 x 127 x 127
    and not 2 x 255 x 127: inputs have 7 bits there.
    """
    return 255 if capabilities().vnni else 127


def direct(operator: Any) -> Callable[..., Tensor]:
    """Return what an operator calls; PyTorch's own check of the arguments takes a tenth of a small product's time."""
    found: Callable[..., Tensor] = getattr(operator.default, "_op", operator.default)
    return found


@contextmanager
def _packing_for(library: str) -> Iterator[None]:
    """Let PyTorch pack for a library, whatever engine is set; what is packed keeps its engine."""
    with _lock:
        engine = torch.backends.quantized.engine
        torch.backends.quantized.engine = library
        try:
            yield
        finally:
            torch.backends.quantized.engine = engine
