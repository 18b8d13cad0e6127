"""TrainingState: all that a run needs to go on as if it had not been stopped."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from albertkit.errors import RunError
from albertkit.training.history import EpochRecord
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
            RunError: the checkpoint is corrupt, or of another network.
        """
        saved = run.load_checkpoint()
        if saved is None:
            return 0
        try:
            return self._take_over(saved)
        except (KeyError, RuntimeError, ValueError, TypeError, AttributeError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise RunError(
                f"{run.path}: the checkpoint does not fit this run ({reason}); "
                "the model or the data changed, so start the run anew"
            ) from error

    def _take_over(self, saved: Mapping[str, Any]) -> int:
        self.trained.load_state_dict(saved["weights"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.record.logits[:] = saved["logits"].numpy()
        self.record.losses[:] = saved["losses"].numpy()
        self.epochs = saved["epochs"]
        self._best = (float(saved["best"][0]), float(saved["best"][1]))
        self.best_epoch = int(saved["best_epoch"])
        return int(saved["step"])
