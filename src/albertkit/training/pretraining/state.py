"""PretrainState: all that a pretraining needs to continue as if it had not been stopped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from albertkit.data.pretraining.stream import Position
from albertkit.errors import RunError
from albertkit.training.pretraining.guard import DivergenceGuard
from albertkit.training.restoring import MISFITS, load_optimizer, misfit, whole_number
from albertkit.training.run import RunFolder

LAST, GOOD = "last", "good"
"""Names of the checkpoints: where a stopped run goes on, and where one goes back to whose loss ran away."""


class PretrainState:
    """Weights, optimizer, place in the data, guard and counters of one run."""

    def __init__(self, network: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        self.network = network
        self.optimizer = optimizer
        self.guard = DivergenceGuard()
        self.position = Position()
        self.step = 0
        """Steps that were made."""
        self.stage = 0
        """Number of the stage that the position belongs to."""
        self.tokens = 0
        """Tokens that were trained on."""
        self.seconds = 0.0
        """Of training."""
        self.evaluations: list[dict[str, Any]] = []

    def save(self, run: RunFolder, *, name: str = LAST) -> None:
        """Write a checkpoint.

        Raises:
            WriteError: the system refused; the checkpoint before is untouched.
        """
        run.save_checkpoint(
            {
                "weights": self.network.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "guard": self.guard.state(),
                "position": list(self.position),
                "step": self.step,
                "stage": self.stage,
                "tokens": self.tokens,
                "seconds": self.seconds,
                "evaluations": self.evaluations,
            },
            name=name,
        )

    def take_over(self, saved: Mapping[str, Any], *, run: RunFolder, with_guard: bool = True) -> None:
        """Go on from a checkpoint.

        Args:
            saved: what `save` wrote and the run folder read.
            run: the directory, for messages.
            with_guard: False when a run goes back: the guard remembers that it did.

        Raises:
            RunError: the checkpoint is of another network.
        """
        try:
            self._take_over(saved, with_guard=with_guard)
        except MISFITS as error:
            raise RunError(misfit(run.path, error)) from error

    def _take_over(self, saved: Mapping[str, Any], *, with_guard: bool) -> None:
        self.network.load_state_dict(saved["weights"])
        load_optimizer(self.optimizer, saved["optimizer"])
        if with_guard:
            self.guard.restore(saved["guard"])
        self.position = Position(*(whole_number(value) for value in saved["position"]))
        self.step, self.stage, self.tokens = (whole_number(saved[name]) for name in ("step", "stage", "tokens"))
        self.seconds = float(saved["seconds"])
        self.evaluations = [dict(evaluation) for evaluation in saved["evaluations"]]
