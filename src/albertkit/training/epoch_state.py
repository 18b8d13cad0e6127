"""EpochState: the state of a fine-tuning: the epoch so far, the history, the best epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from albertkit.errors import RunError
from albertkit.training.history import EpochRecord
from albertkit.training.loop import Step
from albertkit.training.restoring import MISFITS, check_weights, history, misfit, whole_number
from albertkit.training.run_folder import BEST, RunFolder
from albertkit.training.state import State


class EpochState(State[Step]):
    """Weights and optimizer, the examples of this epoch, the scores of those before, the best one.

    Args:
        trained: the network, or a head on a frozen one.
        optimizer: optimizer of its parameters.
        record: what the head said of the training examples in this epoch.
        main: the metric that chooses the best epoch.
        patience: stop after so many epochs without a better score; None goes to the end.
    """

    def __init__(
        self,
        trained: nn.Module,
        optimizer: torch.optim.Optimizer,
        record: EpochRecord,
        *,
        main: str = "loss",
        patience: int | None = None,
    ) -> None:
        super().__init__(trained, optimizer)
        self.record = record
        self.epochs: list[dict[str, dict[str, float]]] = []
        self.best_epoch = 0
        self._main, self._patience = main, patience
        self._best: tuple[float, float] = (-math.inf, -math.inf)

    @property
    def stopped(self) -> bool:
        """Whether the best epoch is too long ago."""
        return self._patience is not None and len(self.epochs) - self.best_epoch >= self._patience

    def count(self, step: Step) -> None:
        """Record one step that was just made."""
        super().count(step)
        self.record.add(step)

    def end_epoch(self, scores: dict[str, dict[str, float]]) -> bool:
        """Take in an epoch's scores; return whether it is the best so far (equal scores: the lower loss).

        Without scores of a validation split the last epoch is the best.
        """
        self.epochs.append(scores)
        self.record.clear()
        if "validation" not in scores:
            self.best_epoch = len(self.epochs)
            return True
        score, loss = scores["validation"][self._main], scores["validation"]["loss"]
        rank = (score if math.isfinite(score) else -math.inf, -loss)  # a correlation of constants is not a number
        is_best = rank > self._best
        if is_best:
            self._best, self.best_epoch = rank, len(self.epochs)
        return is_best

    def best(self, folder: RunFolder) -> dict[str, Any]:
        """Read the weights of the best epoch.

        Raises:
            RunError: the checkpoint is missing or corrupt, or of an epoch that was not trained.
        """
        best = folder.load_checkpoint(name=BEST)
        if best is None:
            raise RunError(
                f"{folder.path / 'checkpoints' / 'best.pt'} is missing, which held the weights of the best epoch "
                f"({self.best_epoch}); start the run again, with another --out"
            )
        # A stop between the two checkpoints of an epoch leaves a best one that is ahead of the last.
        try:
            if whole_number(best["epoch"]) not in (self.best_epoch, len(self.epochs) + 1):
                raise ValueError(f"best.pt holds epoch {best['epoch']}, and epoch {self.best_epoch} was the best")
            check_weights(self.trained, best["weights"])
            best["task"] = dict(best.get("task", {}))
        except MISFITS as error:
            raise RunError(misfit(folder.path, error)) from error
        return best

    def restore(self, folder: RunFolder) -> bool:
        """Continue from the last checkpoint; return whether there is one.

        Raises:
            RunError: the checkpoint is corrupt or of another network, or the best epoch's weights are gone.
        """
        found = super().restore(folder)
        if self.best_epoch:
            self.best(folder)  # refuses what is missing now, not after the training
        return found

    def _more(self) -> dict[str, Any]:
        return {
            "logits": torch.from_numpy(self.record.logits),
            "losses": torch.from_numpy(self.record.losses),
            "epochs": self.epochs,
            "best": list(self._best),
            "best_epoch": self.best_epoch,
        }

    def _take_over(self, saved: Mapping[str, Any]) -> None:
        best_epoch, epochs = whole_number(saved["best_epoch"]), history(saved["epochs"])
        logits, losses = saved["logits"].numpy(), saved["losses"].numpy()
        if best_epoch > len(epochs) or logits.shape != self.record.logits.shape:
            raise ValueError("its history is malformed")
        self.record.logits[:], self.record.losses[:] = logits, losses
        self.epochs, self.best_epoch = epochs, best_epoch
        self._best = (float(saved["best"][0]), float(saved["best"][1]))
