"""The Task protocol: one vertical slice from examples to predictions.

What a task does without a network (encode, targets, predictions) takes and gives NumPy, so that every runtime shares
it; its head and loss, the `Objective`, stand in a module of their own that imports torch and is resolved on first use.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from albertkit.tasks.encoded import Encoded, UnitTargets
from albertkit.text.any_tokenizer import AnyTokenizer

FloatArray = npt.NDArray[np.float32]


class Task(Protocol):
    """What every task offers."""

    @property
    def name(self) -> str:
        """The name in the registry, in data sets and in `task.json`."""
        ...

    @property
    def data_task(self) -> str:
        """The task that a data set names for which this one is: several may be for the same data."""
        ...

    @property
    def head(self) -> str:
        """Name of the head in canonical state: `heads.<head>.*`."""
        ...

    @property
    def objective(self) -> str:
        """Where the head and the loss are: "module:attribute" of an `Objective`."""
        ...

    @property
    def problem_type(self) -> str | None:
        """What a classifier's outputs mean in the words of a Hugging Face configuration; None for other heads."""
        ...

    @property
    def metrics(self) -> tuple[str, ...]:
        """Metrics for data that names none; the first is the main one."""
        ...

    def num_outputs(self, labels: Sequence[str]) -> int:
        """Return the width of the head's output for these labels."""
        ...

    def example_of(self, text: str, pair: str | None = None) -> Any:
        """Return what a user's text (and second text) is to this task, not labelled.

        Raises:
            UsageError: the task needs more, or takes no second text.
        """
        ...

    def encode(self, tokenizer: AnyTokenizer, examples: Sequence[Any], *, max_length: int) -> Encoded:
        """Tokenise examples into sequences of at most `max_length` tokens."""
        ...

    def unit_targets(self, encoded: Encoded, examples: Sequence[Any], *, num_labels: int) -> UnitTargets:
        """Return what the loss compares with, for each unit.

        Raises:
            DataError: an example whose answer is not known.
        """
        ...

    def predictions(
        self, outputs: Sequence[FloatArray], encoded: Encoded, examples: Sequence[Any], *, labels: Sequence[str]
    ) -> list[Mapping[str, Any]]:
        """Return one JSON-ready prediction an example.

        Args:
            outputs: of each sequence what the objective's `outputs` gave: `[outputs]`, or `[tokens, outputs]`.
            encoded: the examples, tokenised.
            examples: themselves.
            labels: names of the head's outputs.
        """
        ...
