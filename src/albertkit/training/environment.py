"""Describe the machine and the versions of a run for its report."""

from __future__ import annotations

import platform
from typing import Any

import torch

import albertkit
from albertkit.hardware.device import Execution


def environment(execution: Execution) -> dict[str, Any]:
    """Return versions, device, precision and threads for a report."""
    return {
        "albertkit": albertkit.__version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "device": execution.device,
        "precision": execution.precision,
        "threads": execution.threads,
    }
