"""OpenVINO as a runtime: a Batch in, NumPy arrays out, no torch."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from albertkit.batching.batch import IntArray
from albertkit.errors import CheckpointError, UsageError
from albertkit.inference.padded import PaddedRuntime

_CRASHES = ("SSE41", "AVX2", "AVX_")
"""Values of ONEDNN_MAX_CPU_ISA below AVX-512. OpenVINO's own oneDNN obeys them where OpenVINO does not: up to 2026.4 it
crashes or returns nothing."""


class OpenVinoRuntime(PaddedRuntime):
    """Runs an exported `.xml` file; the `.bin` of the same name is next to it.

    Raises:
        UsageError: a variable is set with which OpenVINO crashes.
    """

    library = extra = "openvino"

    def open(self, library: Any) -> Any:
        """Return the compiled model."""
        limit = os.environ.get("ONEDNN_MAX_CPU_ISA", "")
        if f"{limit.upper()}_".startswith(_CRASHES):
            raise UsageError(
                f"OpenVINO crashes where ONEDNN_MAX_CPU_ISA is {limit}; unset it, or export the model to onnx"
            )
        # By default it would take bf16 where the processor has it, and other numbers than those checked at the export.
        settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": self.execution.threads}
        try:
            core = library.Core()
            return core.compile_model(core.read_model(self.path), "CPU", settings)
        except RuntimeError as error:
            reason = " ".join((str(error) or type(error).__name__).split())
            raise CheckpointError(
                f"{self.path}: OpenVINO cannot read it ({reason:.160}); export the model again"
            ) from error

    def call(self, inputs: Mapping[str, IntArray], outputs: Collection[str]) -> dict[str, npt.NDArray[np.float32]]:
        """Run one padded part."""
        found = self.opened(dict(inputs))
        return {name: found[name] for name in outputs}
