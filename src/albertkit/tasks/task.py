"""The Task protocol: one vertical slice from examples to predictions.

What a task does without a network (sequences, targets, decode) takes and gives NumPy, so that every runtime shares it;
its head and loss stand in a module of their own that imports torch and is resolved on first use.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from albertkit.batch import Sequence as TokenSequence
from albertkit.data.examples import TextExample
from albertkit.text.any_tokenizer import AnyTokenizer

FloatArray = npt.NDArray[np.float32]


class Task(Protocol):
    """What every task offers."""

    @property
    def name(self) -> str:
        """The name in the registry, in data sets and in `task.json`."""
        ...

    @property
    def head(self) -> str:
        """Name of the head in canonical state: `heads.<head>.*`."""
        ...

    @property
    def metrics(self) -> tuple[str, ...]:
        """Metrics for data that names none; the first is the main one."""
        ...

    def num_outputs(self, labels: Sequence[str]) -> int:
        """Return the width of the head's output for these labels."""
        ...

    def sequences(
        self, tokenizer: AnyTokenizer, examples: Sequence[TextExample], *, max_length: int
    ) -> list[TokenSequence]:
        """Tokenise examples, each cut to `max_length` tokens."""
        ...

    def targets(self, examples: Sequence[TextExample], *, num_labels: int) -> npt.NDArray[Any]:
        """Return what the loss compares with, one row an example."""
        ...

    def predicted(self, logits: FloatArray) -> npt.NDArray[Any]:
        """Return what the metrics compare with the targets."""
        ...

    def probabilities(self, logits: FloatArray) -> npt.NDArray[np.float64]:
        """Return probabilities in [0, 1] of each output, where the task has such."""
        ...

    def decode(self, logits: FloatArray, *, labels: Sequence[str]) -> list[Mapping[str, Any]]:
        """Return one JSON-ready prediction a row."""
        ...
