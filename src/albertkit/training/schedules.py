"""Learning rate by step."""

from __future__ import annotations

from albertkit.errors import UsageError, did_you_mean

SCHEDULES = ("linear", "constant", "cooldown")


def learning_rate(
    step: int, *, peak: float, total_steps: int, warmup_steps: int, schedule: str = "linear", cooldown_steps: int = 0
) -> float:
    """Return the rate of one optimizer step.

    `linear` is Google's (`optimization.py`): it rises to `peak` in `warmup_steps`, then falls to 0 at `total_steps` on
    a line that is measured from step 0, so it drops a little where the warm-up ends.

    >>> [round(learning_rate(s, peak=0.00176, total_steps=125000, warmup_steps=3125), 7) for s in (3124, 3125, 62500)]
    [0.0017594, 0.001716, 0.00088]

    Args:
        step: number of the step, from 0.
        peak: the highest rate.
        total_steps: steps of the whole run.
        warmup_steps: steps that rise; 0 for none.
        schedule: `linear`; `constant` after the warm-up; `cooldown`: constant, then on a line to 0 in the last
            steps, so that a longer run can go on from where the fall began.
        cooldown_steps: steps of that fall.

    Raises:
        UsageError: an unknown schedule.
    """
    if schedule not in SCHEDULES:
        raise UsageError(
            f'unknown schedule "{schedule}"{did_you_mean(schedule, SCHEDULES)} (known: {", ".join(SCHEDULES)})'
        )
    if step < warmup_steps:
        return peak * step / warmup_steps
    if schedule == "constant":
        return peak
    if schedule == "cooldown":
        return peak * min(1.0, (total_steps - step) / max(cooldown_steps, 1))
    return peak * max(0.0, 1 - step / total_steps)
