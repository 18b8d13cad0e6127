"""Training with exits: which settings they go with, and what their heads read."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from torch import Tensor

from albertkit.batching.batch import Batch
from albertkit.errors import UsageError
from albertkit.hardware.device import Execution
from albertkit.tasks.classification import ClassificationTask
from albertkit.tasks.classification.exits import exit_states
from albertkit.tasks.encoded import Encoded
from albertkit.tasks.network import Network
from albertkit.tasks.task import Task
from albertkit.training.settings import FinetuneSettings


def check_exits(task: Task, settings: FinetuneSettings) -> None:
    """Refuse settings that cannot be trained with exits.

    Raises:
        UsageError: a task without labels or a number for each text, a frozen encoder, batch normalization.
    """
    if not settings.exits:
        return
    if not isinstance(task, ClassificationTask):
        raise UsageError(f"--exits is for classification, regression and multilabel; leave it out for {task.name}")
    if settings.freeze_encoder:
        raise UsageError("--exits trains the layers under them, so the encoder cannot be frozen; leave one of them out")
    if settings.head_norm != "none":
        raise UsageError("--exits goes without batch normalization; leave --head-norm out")


class ExitInputs:
    """Sequences that pass the encoder at every step, for heads after each layer: `Inputs` of the loop.

    Args:
        network: its encoder is trained.
        encoded: tokenised examples.
        execution: device and precision.
        pooling: what each head reads of a sequence.
    """

    trains = True

    def __init__(self, network: Network, encoded: Encoded, *, execution: Execution, pooling: str) -> None:
        self.network = network
        self.encoded = encoded
        self.execution = execution
        self.pooling = pooling

    def states(self, units: npt.NDArray[np.int64]) -> Tensor:
        """Encode the units' sequences; return `[sequences, layers, hidden]` in fp32."""
        batch = Batch.pack(self.encoded.sequences[index] for index in self.encoded.sequences_of(units))
        with self.execution.autocast():
            return exit_states(self.network, batch, pooling=self.pooling)
