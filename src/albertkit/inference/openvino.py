"""OpenVINO as a runtime: a Batch in, NumPy arrays out, no torch."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from albertkit.batching.batch import Batch, IntArray
from albertkit.errors import CheckpointError, MissingExtraError, UsageError
from albertkit.hardware.device import Execution
from albertkit.inference.padded import run_padded

_CRASHES = ("SSE41", "AVX2", "AVX_")
"""Values of ONEDNN_MAX_CPU_ISA below AVX-512. OpenVINO's own oneDNN obeys them where OpenVINO does not: up to 2026.4 it
crashes or returns nothing."""


class OpenVinoRuntime:
    """Runs an exported OpenVINO model on the processor, in fp32.

    Args:
        path: path of the `.xml` file; the `.bin` of the same name is next to it.
        execution: only its number of threads is used.

    Raises:
        MissingExtraError: openvino is not installed.
        CheckpointError: it cannot read the files.
        UsageError: a variable is set with which OpenVINO crashes.
    """

    def __init__(self, path: Path, *, execution: Execution) -> None:
        self.path, self.execution = path, execution
        try:
            openvino: Any = importlib.import_module("openvino")  # which has no types
        except ImportError as error:
            raise MissingExtraError("openvino", extra="openvino", purpose="an OpenVINO model") from error
        limit = os.environ.get("ONEDNN_MAX_CPU_ISA", "")
        if f"{limit.upper()}_".startswith(_CRASHES):
            raise UsageError(
                f"OpenVINO crashes where ONEDNN_MAX_CPU_ISA is {limit}; unset it, or export the model to onnx"
            )
        # By default it would take bf16 where the processor has it, and other numbers than those checked at the export.
        settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": execution.threads}
        try:
            core = openvino.Core()
            self.compiled: Any = core.compile_model(core.read_model(path), "CPU", settings)
        except RuntimeError as error:
            reason = " ".join((str(error) or type(error).__name__).split())
            raise CheckpointError(f"{path}: OpenVINO cannot read it ({reason:.160}); export the model again") from error

    def __reduce__(self) -> tuple[Callable[[], OpenVinoRuntime], tuple[()]]:
        """Return how to rebuild the object from a pickle or a copy: it reads the file again."""
        return partial(OpenVinoRuntime, self.path.absolute(), execution=self.execution), ()

    def run(self, batch: Batch, *, outputs: Collection[str]) -> dict[str, npt.NDArray[np.float32]]:
        """Return the named outputs: `sequence_output` `[tokens, hidden]`, `pooled_output` `[sequences, hidden]`,
        `logits` `[sequences, outputs]` or, of a head on tokens, `[tokens, outputs]`."""
        return run_padded(batch, self._call, outputs=outputs)

    def _call(self, inputs: Mapping[str, IntArray], outputs: Collection[str]) -> dict[str, npt.NDArray[np.float32]]:
        found = self.compiled(dict(inputs))
        return {name: found[name] for name in outputs}
