"""Padded runtimes: a packed Batch through an exported file that takes `[batch, seq]` arrays, in near-equal lengths."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from albertkit.batching.batch import Batch, IntArray
from albertkit.batching.cutting import cut_near_equal
from albertkit.errors import MissingExtraError
from albertkit.hardware.device import Execution

FloatArray = npt.NDArray[np.float32]
Call = Callable[[Mapping[str, IntArray], Collection[str]], Mapping[str, FloatArray]]
"""Takes `input_ids`, `attention_mask` and `token_type_ids` `[n, s]` and names of outputs; gives `[n, ..]` or
`[n, s, ..]` of each."""


class PaddedRuntime(ABC):
    """Runs an exported file on the processor, in fp32. A runtime is a subclass that opens and calls the file.

    Args:
        path: path of the file.
        execution: only its number of threads is used.

    Raises:
        MissingExtraError: the library is not installed.
        CheckpointError: it cannot read the file.
    """

    library: ClassVar[str]
    """Module that runs the file; it has no types."""
    extra: ClassVar[str]
    """The extra of albertkit that installs it."""

    def __init__(self, path: Path, *, execution: Execution) -> None:
        self.path, self.execution = path, execution
        try:
            library = importlib.import_module(self.library)
        except ImportError as error:
            raise MissingExtraError(self.library, extra=self.extra, purpose=f"the exported model {path}") from error
        self.opened = self.open(library)

    @abstractmethod
    def open(self, library: Any) -> Any:
        """Return the file, opened by the library."""

    @abstractmethod
    def call(self, inputs: Mapping[str, IntArray], outputs: Collection[str]) -> Mapping[str, FloatArray]:
        """Run one padded part, see `Call`."""

    def __reduce__(self) -> tuple[Callable[[], PaddedRuntime], tuple[()]]:
        """Return how to rebuild the object from a pickle or a copy: it reads the file again."""
        return partial(type(self), self.path.absolute(), execution=self.execution), ()

    def run(self, batch: Batch, *, outputs: Collection[str]) -> dict[str, FloatArray]:
        """Return the named outputs: `sequence_output` `[tokens, hidden]`, `pooled_output` `[sequences, hidden]`,
        `logits` `[sequences, outputs]` or, of a head on tokens, `[tokens, outputs]`."""
        return run_padded(batch, self.call, outputs=outputs)


def run_padded(batch: Batch, call: Call, *, outputs: Collection[str]) -> dict[str, FloatArray]:
    """Return the named outputs of a packed batch: `[sequences, ..]`, or `[tokens, ..]` of those by token.

    Args:
        batch: packed sequences.
        call: runs one padded part.
        outputs: names.
    """
    found: dict[str, FloatArray] = {}
    for part in cut_near_equal(batch.lengths):
        padded = batch.take(part).pad()
        own = padded["attention_mask"].astype(bool)
        rows = batch.rows_of(part)
        for name, value in call(padded, outputs).items():
            by_token = value.ndim == 3
            count = batch.tokens if by_token else len(batch)
            if name not in found:
                found[name] = np.empty((count, value.shape[-1]), np.float32)
            found[name][rows if by_token else part] = value[own] if by_token else value
    return found
