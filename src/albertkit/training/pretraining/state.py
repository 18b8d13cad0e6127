"""PretrainState: the state of a pretraining: its place in the data, its stage, and the guard against divergence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from albertkit.data.pretraining.stream import Position
from albertkit.training.pretraining.guard import DivergenceGuard
from albertkit.training.pretraining.steps import PretrainStep
from albertkit.training.restoring import whole_number
from albertkit.training.run_folder import RunFolder
from albertkit.training.state import TokenState


class PretrainState(TokenState[PretrainStep]):
    """Weights, optimizer, place in the data, guard and counters of one run."""

    def __init__(self, network: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        super().__init__(network, optimizer)
        self.guard = DivergenceGuard()
        self.position = Position()
        self.stage = 0
        """Number of the stage that the position belongs to."""

    def go_back(self, saved: Mapping[str, Any], *, folder: RunFolder) -> None:
        """Continue from a good checkpoint; the guard remembers that it was needed.

        Raises:
            RunError: the checkpoint is of another network.
        """
        guard = self.guard.state()
        self.take_over(saved, folder=folder)
        self.guard.restore(guard)

    def _more(self) -> dict[str, Any]:
        own = {"guard": self.guard.state(), "position": list(self.position), "stage": self.stage}
        return {**super()._more(), **own}

    def _take_over(self, saved: Mapping[str, Any]) -> None:
        super()._take_over(saved)
        self.guard.restore(saved["guard"])
        self.position = Position(*(whole_number(value) for value in saved["position"]))
        self.stage = whole_number(saved["stage"])
