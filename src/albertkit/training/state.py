"""State: all that a run needs to continue as if it had not been stopped."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Generic, Protocol, TypeVar

import torch
from torch import nn

from albertkit.errors import RunError
from albertkit.training.restoring import MISFITS, load_optimizer, misfit, whole_number
from albertkit.training.run_folder import LAST, RunFolder

AnyStep = TypeVar("AnyStep", contravariant=True)


class State(Generic[AnyStep]):
    """Weights, optimizer and the number of steps that were made.

    Args:
        trained: the module to train.
        optimizer: optimizer of its parameters.
    """

    def __init__(self, trained: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        self.trained = trained
        self.optimizer = optimizer
        self.step = 0
        """Steps that were made."""
        self._saved = time.monotonic()
        self._saved_step = -1

    @property
    def stopped(self) -> bool:
        """Whether the training ends before its last step."""
        return False

    @property
    def seconds_since_save(self) -> float:
        """Seconds since the last checkpoint, or the start; 0 where this step was saved."""
        return 0.0 if self._saved_step == self.step else time.monotonic() - self._saved

    def count(self, step: AnyStep) -> None:
        """Record one step that was just made."""
        del step
        self.step += 1

    def save(self, folder: RunFolder, *, name: str = LAST) -> None:
        """Write a checkpoint.

        Raises:
            WriteError: the system refused; the checkpoint before is untouched.
        """
        if name == LAST and self._saved_step == self.step:
            return
        weights, optimizer = self.trained.state_dict(), self.optimizer.state_dict()
        folder.save_checkpoint(
            {"weights": weights, "optimizer": optimizer, "step": self.step, **self._more()}, name=name
        )
        if name == LAST:
            self._saved, self._saved_step = time.monotonic(), self.step

    def restore(self, folder: RunFolder) -> bool:
        """Continue from the last checkpoint; return whether there is one.

        Raises:
            RunError: the checkpoint is corrupt or of another network.
        """
        saved = folder.load_checkpoint()
        if saved is not None:
            self.take_over(saved, folder=folder)
        return saved is not None

    def take_over(self, saved: Mapping[str, Any], *, folder: RunFolder) -> None:
        """Continue from a checkpoint.

        Args:
            saved: what `save` wrote and the folder read.
            folder: the run directory, for messages.

        Raises:
            RunError: the checkpoint is of another network.
        """
        try:
            step = whole_number(saved["step"])
            self._take_over(saved)
            self.trained.load_state_dict(saved["weights"])
            load_optimizer(self.optimizer, saved["optimizer"])
        except MISFITS as error:
            raise RunError(misfit(folder.path, error)) from error
        self.step, self._saved_step = step, -1

    def _more(self) -> dict[str, Any]:
        """Return what a kind of training has to keep besides weights, optimizer and step."""
        return {}

    def _take_over(self, saved: Mapping[str, Any]) -> None:
        """Take over what `_more` gave."""


class Counts(Protocol):
    """A step that says what it read and how long it took."""

    @property
    def tokens(self) -> int:
        """Tokens that were trained on."""
        ...

    @property
    def seconds(self) -> float:
        """Wall-clock seconds of the step."""
        ...


CountedStep = TypeVar("CountedStep", bound=Counts, contravariant=True)


class TokenState(State[CountedStep]):
    """The state of a training that is scored from time to time."""

    def __init__(self, trained: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        super().__init__(trained, optimizer)
        self.tokens = 0
        """Tokens that were trained on."""
        self.seconds = 0.0
        """Of training."""
        self.evaluations: list[dict[str, Any]] = []

    def count(self, step: CountedStep) -> None:
        """Record one step that was just made."""
        super().count(step)
        self.tokens += step.tokens
        self.seconds += step.seconds

    def _more(self) -> dict[str, Any]:
        return {"tokens": self.tokens, "seconds": self.seconds, "evaluations": self.evaluations}

    def _take_over(self, saved: Mapping[str, Any]) -> None:
        self.tokens, self.seconds = whole_number(saved["tokens"]), float(saved["seconds"])
        self.evaluations = [dict(evaluation) for evaluation in saved["evaluations"]]
