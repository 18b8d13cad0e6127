"""Learning rate by step."""

from __future__ import annotations

from dataclasses import dataclass

from albertkit.errors import UsageError, did_you_mean

SCHEDULES = ("linear", "constant", "cooldown")


@dataclass(frozen=True)
class Schedule:
    """Gives the rate of each optimizer step.

    `linear` is Google's (`optimization.py`): it rises to `peak` in `warmup_steps`, then falls to 0 at `total_steps` on
    a line that is measured from step 0, so it drops a little where the warm-up ends.

    >>> rate = Schedule("linear", peak=0.00176, total_steps=125000, warmup_steps=3125)
    >>> [round(rate(step), 7) for step in (3124, 3125, 62500)]
    [0.0017594, 0.001716, 0.00088]

    Raises:
        UsageError: an unknown schedule.
    """

    kind: str
    """`linear`; `constant` after the warm-up; `cooldown`: constant, then on a line to 0 in the last steps, so that a
    longer run can continue from where the fall began."""
    peak: float
    """The highest rate."""
    total_steps: int
    """Steps of the whole run."""
    warmup_steps: int
    """Steps that rise; 0 for none."""
    cooldown_steps: int = 0
    """Steps that fall, of `cooldown`."""

    def __post_init__(self) -> None:
        check_schedule(self.kind)

    def __call__(self, step: int) -> float:
        """Return the rate of a step, counted from 0."""
        if step < self.warmup_steps:
            return self.peak * step / self.warmup_steps
        if self.kind == "constant":
            return self.peak
        if self.kind == "cooldown":
            return self.peak * min(1.0, (self.total_steps - step) / max(self.cooldown_steps, 1))
        return self.peak * max(0.0, 1 - step / self.total_steps)


def check_schedule(kind: str) -> None:
    """Refuse an unknown schedule.

    Raises:
        UsageError: it is none of `SCHEDULES`.
    """
    if kind not in SCHEDULES:
        raise UsageError(f'unknown schedule "{kind}"{did_you_mean(kind, SCHEDULES)} (known: {", ".join(SCHEDULES)})')
