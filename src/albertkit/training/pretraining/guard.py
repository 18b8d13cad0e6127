"""DivergenceGuard: detects divergence in pretraining, and sets the rate to resume with from a good checkpoint."""

from __future__ import annotations

import math
from typing import Any

from albertkit.errors import RunError

INTERVAL = 200
"""Least steps between two good points."""
POINTS = 100
"""Good points of a whole run at most: a GPU makes two hundred steps in seconds."""
MEMORY = 0.95
"""Of the running mean of the loss: it looks back about 20 steps."""
RISE = 1.0
"""Nats above the lowest running mean that count as running away."""
SLOWER = 0.5
"""Factor on the learning rate at each return."""
RETURNS = 6
"""After so many returns the run gives up."""


def good_interval(total_steps: int) -> int:
    """Return the steps between two good points.

    >>> good_interval(5_000), good_interval(60_000)
    (200, 600)
    """
    return max(INTERVAL, total_steps // POINTS)


class DivergenceGuard:
    """Watches the loss of each step."""

    def __init__(self) -> None:
        self.factor = 1.0
        """What the learning rate is multiplied with."""
        self.returns = 0
        """How often the run went back."""
        self.mean = math.nan
        self.lowest = math.inf

    def begin_stage(self) -> None:
        """Forget the lowest loss: more layers or longer sequences may begin with a higher one."""
        self.mean, self.lowest = math.nan, math.inf

    def is_good(self, loss: float, gradient_norm: float) -> bool:
        """Record one step and return whether the run may continue from it."""
        if not (math.isfinite(loss) and math.isfinite(gradient_norm)):
            return False
        self.mean = loss if math.isnan(self.mean) else MEMORY * self.mean + (1 - MEMORY) * loss
        self.lowest = min(self.lowest, self.mean)
        return self.mean <= self.lowest + RISE

    def go_back(self, *, step: int, good_step: int, rate: float) -> str:
        """Lower the rate and return the sentence that says so.

        Args:
            step: that ran away.
            good_step: where the run continues.
            rate: rate of the step, before it is lowered.

        Raises:
            RunError: the run went back too often.
        """
        self.returns += 1
        if self.returns > RETURNS:
            raise RunError(
                f"the loss diverged again at step {step}, after {RETURNS} returns to the last good checkpoint, each "
                f"with a lower learning rate (now {rate:.2g}); start again with a tenth of the learning rate, or "
                "--precision fp32"
            )
        self.factor *= SLOWER
        self.begin_stage()
        return (
            f"the loss diverged at step {step}; going back to step {good_step} with {SLOWER:g} of the learning rate "
            f"({rate * SLOWER:.2g})"
        )

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint has to hold."""
        return {"factor": self.factor, "returns": self.returns, "mean": self.mean, "lowest": self.lowest}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `state` gave.

        Raises:
            LookupError, ValueError, TypeError, ArithmeticError: it is malformed.
        """
        if not 0 < state["factor"] <= 1:
            raise ValueError(f"{state['factor']!r:.40} is not a factor of a learning rate")
        self.factor, self.returns = float(state["factor"]), int(state["returns"])
        self.mean, self.lowest = float(state["mean"]), float(state["lowest"])
