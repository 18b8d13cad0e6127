"""ONNX Runtime as a runtime: a Batch in, NumPy arrays out, no torch."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from albertkit.batching.batch import Batch, IntArray
from albertkit.errors import CheckpointError, MissingExtraError
from albertkit.hardware.device import Execution
from albertkit.inference.padded import run_padded


class OnnxRuntime:
    """Runs an exported ONNX file on the processor, in fp32.

    Args:
        path: path of the `.onnx` file.
        execution: only its number of threads is used.

    Raises:
        MissingExtraError: onnxruntime is not installed.
        CheckpointError: it cannot read the file.
    """

    def __init__(self, path: Path, *, execution: Execution) -> None:
        self.path, self.execution = path, execution
        try:
            onnxruntime: Any = importlib.import_module("onnxruntime")  # which has no types
        except ImportError as error:
            raise MissingExtraError("onnxruntime", extra="onnx", purpose="an ONNX model") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = execution.threads
        options.add_session_config_entry("session.disable_quant_qdq", "1")  # int8 weights become fp32 once
        options.log_severity_level = 3  # errors; a warning would appear between the lines of our output
        try:
            self.session: Any = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its own classes, one for each status, derive directly from Exception
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise CheckpointError(
                f"{path}: ONNX Runtime cannot read it ({reason:.160}); export the model again"
            ) from error

    def __reduce__(self) -> tuple[Callable[[], OnnxRuntime], tuple[()]]:
        """Return how to rebuild the object from a pickle or a copy: it reads the file again."""
        return partial(OnnxRuntime, self.path.absolute(), execution=self.execution), ()

    def run(self, batch: Batch, *, outputs: Collection[str]) -> dict[str, npt.NDArray[np.float32]]:
        """Return the named outputs: `sequence_output` `[tokens, hidden]`, `pooled_output` `[sequences, hidden]`,
        `logits` `[sequences, outputs]` or, of a head on tokens, `[tokens, outputs]`."""
        return run_padded(batch, self._call, outputs=outputs)

    def _call(self, inputs: Mapping[str, IntArray], outputs: Collection[str]) -> dict[str, npt.NDArray[np.float32]]:
        names = list(outputs)
        return dict(zip(names, self.session.run(names, dict(inputs)), strict=True))
