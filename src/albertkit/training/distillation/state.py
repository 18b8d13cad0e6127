"""DistillState: all that a distillation needs to continue as if it had not been stopped."""

from __future__ import annotations

from typing import Any

import torch

from albertkit.errors import RunError
from albertkit.tasks.distillation.objective import DistillObjective
from albertkit.training.restoring import MISFITS, load_optimizer, misfit, whole_number
from albertkit.training.run import RunFolder


class DistillState:
    """Weights, optimizer and counters of one run."""

    def __init__(self, objective: DistillObjective, optimizer: torch.optim.Optimizer) -> None:
        self.objective = objective
        self.optimizer = optimizer
        self.step = 0
        """Steps that were made."""
        self.tokens = 0
        """Tokens that were trained on."""
        self.seconds = 0.0
        """Of training."""
        self.evaluations: list[dict[str, Any]] = []

    def save(self, run: RunFolder) -> None:
        """Write a checkpoint.

        Raises:
            WriteError: the system refused; the checkpoint before is untouched.
        """
        run.save_checkpoint(
            {
                "weights": self.objective.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "step": self.step,
                "tokens": self.tokens,
                "seconds": self.seconds,
                "evaluations": self.evaluations,
            }
        )

    def restore(self, run: RunFolder) -> bool:
        """Take over the last checkpoint; tell whether there is one.

        Raises:
            RunError: the checkpoint is corrupt, or of another network.
        """
        saved = run.load_checkpoint()
        if saved is None:
            return False
        try:
            self.objective.load_state_dict(saved["weights"])
            load_optimizer(self.optimizer, saved["optimizer"])
            self.step, self.tokens = whole_number(saved["step"]), whole_number(saved["tokens"])
            self.seconds = float(saved["seconds"])
            self.evaluations = [dict(evaluation) for evaluation in saved["evaluations"]]
        except MISFITS as error:
            raise RunError(misfit(run.path, error)) from error
        return True
