"""ONNX Runtime as a runtime: a Batch in, NumPy arrays out, no torch."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from albertkit.batching.batch import IntArray
from albertkit.errors import CheckpointError
from albertkit.inference.padded import PaddedRuntime


class OnnxRuntime(PaddedRuntime):
    """Runs an exported `.onnx` file."""

    library = "onnxruntime"
    extra = "onnx"

    def open(self, library: Any) -> Any:
        """Return the session."""
        options = library.SessionOptions()
        options.intra_op_num_threads = self.execution.threads
        options.add_session_config_entry("session.disable_quant_qdq", "1")  # int8 weights become fp32 once
        options.log_severity_level = 3  # errors; a warning would appear between the lines of our output
        try:
            return library.InferenceSession(str(self.path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its own classes, one for each status, derive directly from Exception
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise CheckpointError(
                f"{self.path}: ONNX Runtime cannot read it ({reason:.160}); export the model again"
            ) from error

    def call(self, inputs: Mapping[str, IntArray], outputs: Collection[str]) -> dict[str, npt.NDArray[np.float32]]:
        """Run one padded part."""
        names = list(outputs)
        return dict(zip(names, self.opened.run(names, dict(inputs)), strict=True))
