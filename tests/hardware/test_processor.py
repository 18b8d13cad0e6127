"""What the processor can do, against the kernel's own list of its flags and the variables that hide some of it."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from albertkit.hardware.processor import Capabilities, capabilities, missing

ON_X86 = platform.machine() in ("x86_64", "AMD64")
ASK = """
import dataclasses, json
from albertkit.hardware.processor import capabilities
print(json.dumps(dataclasses.asdict(capabilities())))
"""


def asked_with(**variables: str) -> Capabilities:
    """Ask in a process of its own: oneDNN reads its variables once."""
    environment = {name: value for name, value in os.environ.items() if name not in HIDING} | variables
    done = subprocess.run([sys.executable, "-c", ASK], env=environment, capture_output=True, text=True, check=True)
    return Capabilities(**json.loads(done.stdout))


HIDING = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY", "ALBERTKIT_PREPACKED")
OPERATORS = (
    "linear_prepack",
    "linear_prepack_fp16",
    "linear_dynamic_fp16",
    "linear_with_input_q_dq_qweight_dq_output_fp32",
)


@pytest.mark.skipif(not (ON_X86 and Path("/proc/cpuinfo").is_file()), reason="the flags are read from Linux on x86")
def test_unhidden_it_is_what_the_kernel_says() -> None:
    flags = set(Path("/proc/cpuinfo").read_text().partition("flags")[2].partition("\n")[0].split())
    found = asked_with()
    assert found.prepacked
    assert found.bf16 == bool(flags & {"amx_bf16", "avx512_bf16"})
    assert found.int8 == ("amx_int8" in flags)
    assert (found.fbgemm, found.vnni) == ("avx2" in flags, "avx512_vnni" in flags)


@pytest.mark.skipif(not ON_X86, reason="these are levels of x86")
def test_a_hidden_avx512_takes_bf16_and_int8_away() -> None:
    assert asked_with(ONEDNN_MAX_CPU_ISA="AVX2") == Capabilities(
        prepacked=True, bf16=False, int8=False, fbgemm=asked_with().fbgemm, vnni=asked_with().vnni, qnnpack=True
    )


def test_the_switch_takes_what_arm_and_macos_do_not_have() -> None:
    hidden = asked_with(ALBERTKIT_PREPACKED="0")
    assert (hidden.prepacked, hidden.int8, hidden.fbgemm, hidden.prepacked_bf16) == (False, False, False, False)
    assert (hidden.bf16, hidden.qnnpack) == (asked_with().bf16, asked_with().qnnpack)


def test_what_is_set_for_this_run_is_in_force() -> None:
    """The runs that simulate another processor (Makefile, `test-processors`) must not pass on this one's kernels."""
    if os.environ.get("ONEDNN_MAX_CPU_ISA") == "AVX2":
        assert (capabilities().bf16, capabilities().int8) == (False, False)
    if "ATEN_CPU_CAPABILITY" in os.environ:
        assert torch.backends.cpu.get_cpu_capability().lower() == os.environ["ATEN_CPU_CAPABILITY"]
    if os.environ.get("ALBERTKIT_PREPACKED") == "0":
        assert not capabilities().prepacked


@pytest.mark.skipif(not capabilities().fbgemm, reason="no FBGEMM here")
@pytest.mark.parametrize("missing", OPERATORS)
def test_a_pytorch_without_one_of_the_operators_has_no_fbgemm(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    left = {name: getattr(torch.ops.quantized, name) for name in OPERATORS if name != missing}
    monkeypatch.setattr(torch.ops, "quantized", SimpleNamespace(**left))
    assert not capabilities.__wrapped__().fbgemm


@pytest.mark.parametrize("engines", [["none"], ["qnnpack", "none"]], ids=["no engine", "as on ARM"])
def test_another_engine_is_not_fbgemm(engines: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends, "quantized", SimpleNamespace(supported_engines=engines))
    found = capabilities.__wrapped__()
    assert (found.fbgemm, found.qnnpack) == (False, "qnnpack" in engines)


WITH_BF16 = {"architecture": "arm64", "dot": True, "fhm": True, "bf16": True, "i8mm": True}
WITHOUT_BF16 = {"architecture": "arm64", "dot": True, "fhm": False, "bf16": False, "i8mm": False}
"""Instructions of two ARM processors by PyTorch's names."""


@pytest.mark.parametrize(
    ("machine", "hardware", "onednn", "bf16"),
    [
        ("aarch64", WITH_BF16, True, True),
        ("aarch64", WITHOUT_BF16, True, False),
        ("arm64", WITH_BF16, False, False),
    ],
    ids=["Linux with BF16", "Linux without", "macOS"],
)
def test_what_arm_takes(
    machine: str, hardware: dict[str, object], onednn: bool, bf16: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lists are those of PyTorch 2.13: FBGEMM is one of its engines on ARM, and its products are not for ARM."""
    engines = ["qnnpack", "onednn", "x86", "fbgemm"] if onednn else ["qnnpack", "none"]
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr("albertkit.hardware.processor._hardware", lambda: hardware)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: onednn)
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: True)
    monkeypatch.setattr(torch.backends, "quantized", SimpleNamespace(supported_engines=engines))
    assert capabilities.__wrapped__() == Capabilities(
        prepacked=False, bf16=bf16, int8=False, fbgemm=False, vnni=False, qnnpack=True
    )


@pytest.mark.parametrize(
    ("machine", "onednn", "precision", "words"),
    [
        ("x86_64", True, "fp16", r"AVX2, and FBGEMM in PyTorch\), which this one does not have or may not use"),
        ("aarch64", True, "fp16", r"AVX2, and FBGEMM in PyTorch\), and this one is aarch64"),
        ("arm64", False, "fp16", r"and this one is arm64, or a GPU; use --precision auto$"),
        ("x86_64", True, "bf16", r"which this one does not have or may not use \(ONEDNN_MAX_CPU_ISA\)"),
        ("aarch64", True, "bf16", r"ARM's BF16\), which this one does not have; use --precision auto or fp32$"),
        ("arm64", False, "bf16", r"and oneDNN in PyTorch, which this PyTorch does not have"),
    ],
)
def test_what_is_missing(
    machine: str, onednn: bool, precision: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: onednn)
    assert re.search(words, missing(precision)), missing(precision)


@pytest.mark.skipif(not ON_X86, reason="these are levels of x86")
def test_fbgemm_needs_avx2() -> None:
    assert not asked_with(ATEN_CPU_CAPABILITY="default").fbgemm


def test_it_is_asked_once() -> None:
    assert capabilities() is capabilities()
