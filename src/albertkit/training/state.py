"""TrainingState: all that a run needs to continue as if it had not been stopped."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from albertkit.errors import RunError
from albertkit.training.history import EpochRecord
from albertkit.training.restoring import MISFITS, check_weights, history, load_optimizer, misfit, whole_number
from albertkit.training.run import RunFolder


class TrainingState:
    """All that a run needs to go on: weights, optimizer, the epoch so far, the history, the best epoch."""

    def __init__(self, trained: nn.Module, optimizer: torch.optim.Optimizer, record: EpochRecord) -> None:
        self.trained = trained
        self.optimizer = optimizer
        self.record = record
        self.epochs: list[dict[str, dict[str, float]]] = []
        self.best_epoch = 0
        self._best: tuple[float, float] = (-math.inf, -math.inf)

    def epochs_since_best(self) -> int:
        """Return how many epochs have gone by since the best one."""
        return len(self.epochs) - self.best_epoch

    def end_epoch(self, scores: dict[str, dict[str, float]], *, main: str) -> bool:
        """Take in an epoch's scores; return whether it is the best so far (equal scores: the lower loss)."""
        self.epochs.append(scores)
        self.record.clear()
        score, loss = scores["validation"][main], scores["validation"]["loss"]
        rank = (score if math.isfinite(score) else -math.inf, -loss)  # a correlation of constants is not a number
        if rank > self._best:
            self._best, self.best_epoch = rank, len(self.epochs)
            return True
        return False

    def save(self, run: RunFolder, step: int) -> None:
        """Write the checkpoint of a step (counted from 1) in place of the one before."""
        run.save_checkpoint(
            {
                "step": step,
                "weights": self.trained.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "logits": torch.from_numpy(self.record.logits),
                "losses": torch.from_numpy(self.record.losses),
                "epochs": self.epochs,
                "best": list(self._best),
                "best_epoch": self.best_epoch,
            }
        )

    def restore(self, run: RunFolder) -> int:
        """Take over the last checkpoint; return its step, 0 when there is none yet.

        Raises:
            RunError: the checkpoint is corrupt or of another network, or the best epoch's weights are gone.
        """
        saved = run.load_checkpoint()
        if saved is None:
            return 0
        try:
            step = self._take_over(saved)
        except MISFITS as error:
            raise RunError(misfit(run.path, error)) from error
        if self.best_epoch:
            self.best(run)  # what is missing is told now, not after the training
        return step

    def best(self, run: RunFolder) -> dict[str, Any]:
        """Read the weights of the best epoch.

        Raises:
            RunError: the checkpoint is missing or corrupt, or of an epoch that was not trained.
        """
        path = run.path / "checkpoints" / "best.pt"
        best = run.load_checkpoint(name="best")
        if best is None:
            raise RunError(
                f"{path} is missing, and the weights of the best epoch ({self.best_epoch}) with it; start the run "
                "again, with another --out"
            )
        # A stop between the two checkpoints of an epoch leaves a best one that is ahead of the last.
        try:
            if whole_number(best["epoch"]) not in (self.best_epoch, len(self.epochs) + 1):
                raise ValueError(f"{path.name} holds epoch {best['epoch']}, and epoch {self.best_epoch} was the best")
            check_weights(self.trained, best["weights"])
            best["task"] = dict(best.get("task", {}))
        except MISFITS as error:
            raise RunError(misfit(run.path, error)) from error
        return best

    def _take_over(self, saved: Mapping[str, Any]) -> int:
        step, best_epoch = whole_number(saved["step"]), whole_number(saved["best_epoch"])
        epochs = history(saved["epochs"])
        logits, losses = saved["logits"].numpy(), saved["losses"].numpy()
        if best_epoch > len(epochs) or logits.shape != self.record.logits.shape:
            raise ValueError("its history is malformed")
        self.trained.load_state_dict(saved["weights"])
        load_optimizer(self.optimizer, saved["optimizer"])
        self.record.logits[:], self.record.losses[:] = logits, losses
        self.epochs = epochs
        self._best = (float(saved["best"][0]), float(saved["best"][1]))
        self.best_epoch = best_epoch
        return step
