"""The learning rate by step, against Google's schedule."""

from __future__ import annotations

import pytest

from albertkit.errors import UsageError
from albertkit.training.schedules import Schedule


# optimization.py at rate .00176, 125000 steps, 3125 of warm-up: the line down is measured from step 0.
@pytest.mark.parametrize(("step", "rate"), [(0, 0.0), (3124, 0.0017594), (3125, 0.001716), (62500, 0.00088)])
def test_google_s_own_numbers(step: int, rate: float) -> None:
    found = Schedule("linear", peak=0.00176, total_steps=125000, warmup_steps=3125)(step)
    assert found == pytest.approx(rate, abs=1e-7)


def test_the_end_is_zero_and_stays_there() -> None:
    rate = Schedule("linear", peak=1.0, total_steps=4, warmup_steps=0)
    assert [rate(step) for step in (0, 2, 4, 5)] == [1, 0.5, 0, 0]


def test_constant_after_the_warm_up() -> None:
    rate = Schedule("constant", peak=1.0, total_steps=8, warmup_steps=2)
    assert [rate(step) for step in range(5)] == [0, 0.5, 1, 1, 1]


def test_an_unknown_schedule_gets_the_nearest() -> None:
    with pytest.raises(UsageError, match='unknown schedule "lineal"; did you mean "linear"'):
        Schedule("lineal", peak=1.0, total_steps=1, warmup_steps=0)
