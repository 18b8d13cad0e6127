"""What a benchmark ran on: processor, versions, load, and the fastest matrix products that the machine has."""

from __future__ import annotations

import os
import platform
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from albertkit.hardware.device import Execution
from albertkit.hardware.processor import capabilities
from albertkit.training.environment import environment


def machine(execution: Execution) -> dict[str, Any]:
    """Return processor, versions, threads, and how busy the machine was (mean of running processes in a minute)."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    versions = {key: value for key, value in environment(execution).items() if key != "precision"}
    return {
        "processor": names[0] if names else platform.processor(),
        "cores": os.cpu_count(),
        "bf16_in_hardware": capabilities().bf16,
        "load_before": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "transformers": _version("transformers"),
        **versions,
    }


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None


def matrix_peaks(*, size: int, repeats: int) -> dict[str, float]:
    """Return the best GFLOP/s of `[size, size]` products in fp32 and bf16: what no step can pass."""
    peaks = {}
    for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        one, other = torch.randn(size, size).to(dtype), torch.randn(size, size).to(dtype)
        seconds = []
        for _ in range(1 + repeats):
            started = time.perf_counter()
            torch.mm(one, other)
            seconds.append(time.perf_counter() - started)
        peaks[f"{name}_gflops"] = round(2 * size**3 / min(seconds) / 1e9, 1)
    return peaks
