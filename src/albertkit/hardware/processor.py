"""Detect the fast matrix products of this processor: the only module that queries PyTorch and oneDNN.

Everything that chooses a precision or a kernel asks `capabilities()`. The answer follows what is in force and not only
what the processor has: `ONEDNN_MAX_CPU_ISA=AVX2` hides AVX-512 and AMX, and `ALBERTKIT_PREPACKED=0` hides the
prepacked products and FBGEMM, which albertkit uses only on x86: what is left is what it uses on ARM and macOS.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any


@dataclass(frozen=True)
class Capabilities:
    """What products of matrices this processor and this build of PyTorch have."""

    prepacked: bool
    """Products with weights in oneDNN's own layout, and activation, bias or residual added in the same pass."""
    bf16: bool
    """bf16 products in hardware (AMX, avx512_bf16, ARM's bf16). Without them a bf16 product fails, or takes a hundred
    times as long as in fp32."""
    int8: bool
    """int8 products in hardware (AMX) whose weights oneDNN can prepack. Without AMX oneDNN has no fast code for signed
    inputs: a product takes a thousand times as long."""
    fbgemm: bool
    """FBGEMM's products, on every x86 processor with AVX2: weights in fp16 with sums in fp32, and weights in int8.
    PyTorch calls their operators old; a later one may lack them."""
    vnni: bool
    """AVX512-VNNI, which adds FBGEMM's int8 products in 32 bits. AVX2 adds pairs of them in 16."""
    qnnpack: bool
    """QNNPACK's int8 products, which PyTorch has on ARM and macOS, too. Used where there are no others."""

    @property
    def prepacked_bf16(self) -> bool:
        """Whether prepacked products, and those with gradients of our own, can be in bf16."""
        return self.prepacked and self.bf16

    @property
    def any_int8(self) -> bool:
        """Whether products can be in int8, by whichever library."""
        return self.int8 or self.fbgemm or self.qnnpack


@cache
def capabilities() -> Capabilities:
    """Return what this processor can do; asked once per process, as the variables above are read once by oneDNN."""
    import torch

    hardware = _hardware()
    on_x86 = _on_x86()
    onednn = bool(torch.backends.mkldnn.is_available())  # type: ignore[no-untyped-call]  # torch leaves it untyped
    # On x86 this one also tells whether oneDNN may use AVX-512 at all, which ONEDNN_MAX_CPU_ISA can forbid.
    takes_bf16 = onednn and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    prepacked = on_x86 and onednn and os.environ.get("ALBERTKIT_PREPACKED", "1") != "0"
    if on_x86:
        bf16 = bool(hardware.get("amx_bf16") or hardware.get("avx512_bf16"))
        int8 = bool(hardware.get("amx_int8"))
    else:
        bf16, int8 = bool(hardware.get("bf16") or hardware.get("sve_bf16")), False
    return Capabilities(
        prepacked=prepacked,
        bf16=takes_bf16 and bf16,
        int8=prepacked and takes_bf16 and int8 and hasattr(torch.ops.onednn, "qlinear_prepack"),
        fbgemm=prepacked and torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512") and _has_fbgemm(),
        vnni=bool(hardware.get("avx512_vnni")),
        qnnpack="qnnpack" in torch.backends.quantized.supported_engines,
    )


def missing(precision: str) -> str:
    """Say in one sentence what a precision needs and this processor, or this PyTorch, does not have."""
    import torch

    lacking = "which this one does not have or may not use"
    if precision == "fp16":
        why = f"{lacking} (ALBERTKIT_PREPACKED)" if _on_x86() else f"and this one is {platform.machine()}"
        return (
            f"fp16 needs a processor with fp16 products (x86 with AVX2, and FBGEMM in PyTorch), {why}, or a GPU; "
            "use --precision auto"
        )
    if precision == "bf16":
        why = f"{lacking} (ONEDNN_MAX_CPU_ISA)" if _on_x86() else "which this one does not have"
        if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]  # torch leaves it untyped
            why = "and oneDNN in PyTorch, which this PyTorch does not have (nor does any for macOS)"
        return (
            f"bf16 needs a processor with bf16 products (AMX, AVX512-BF16 or ARM's BF16), {why}; "
            "use --precision auto or fp32"
        )
    return (
        "int8 needs a processor with int8 products (by oneDNN, FBGEMM or QNNPACK), and this PyTorch has none for this "
        "one; use --precision auto"
    )


def _on_x86() -> bool:
    return platform.machine() in ("x86_64", "AMD64")


def _has_fbgemm() -> bool:
    """Return whether this PyTorch has every operator that `encoder/fbgemm.py` calls."""
    import torch

    return "fbgemm" in torch.backends.quantized.supported_engines and all(
        hasattr(torch.ops.quantized, name)
        for name in (
            "linear_prepack",
            "linear_prepack_fp16",
            "linear_dynamic_fp16",
            "linear_with_input_q_dq_qweight_dq_output_fp32",
        )
    )


def _hardware() -> Mapping[str, Any]:
    """Return the processor's instruction sets by PyTorch's names, whatever variables hide."""
    import torch

    if hasattr(torch.cpu, "get_capabilities"):
        return torch.cpu.get_capabilities()
    amx = torch.cpu._is_amx_tile_supported()  # in older releases; every processor with AMX has its bf16 and int8
    return {
        "amx_bf16": amx,
        "amx_int8": amx,
        "avx512_bf16": torch.cpu._is_avx512_bf16_supported(),
        "avx512_vnni": torch.cpu._is_vnni_supported(),
    }
