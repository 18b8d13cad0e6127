"""Training with exits: which settings they go with, and what their heads read."""

from __future__ import annotations

from torch import Tensor

from albertkit.errors import UsageError
from albertkit.tasks.classification import ClassificationTask
from albertkit.tasks.classification.exits import exit_states
from albertkit.tasks.task import Task
from albertkit.training.loop import Indices, TextInputs
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
        raise UsageError(
            "--exits also trains the layers below, so the encoder cannot be frozen; leave out --exits or "
            "--freeze-encoder"
        )
    if settings.head_norm != "none":
        raise UsageError("--exits cannot be used with batch normalization; leave out --head-norm")


class ExitInputs(TextInputs):
    """Sequences that pass the encoder at every step, for heads after each layer."""

    def states(self, units: Indices) -> Tensor:
        """Encode the units' sequences; return `[sequences, layers, hidden]` in fp32."""
        with self.execution.autocast():
            return exit_states(self.network, self.batch(units), pooling=self.pooling)
