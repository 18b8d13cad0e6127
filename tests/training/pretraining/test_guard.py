"""DivergenceGuard: what it lets pass, when it goes back and when it gives up."""

from __future__ import annotations

import math

import pytest

from albertkit.errors import RunError
from albertkit.training.pretraining.guard import RETURNS, DivergenceGuard


def test_the_running_mean_by_hand() -> None:
    guard = DivergenceGuard()
    assert guard.is_good(10.0, 1.0)
    assert guard.mean == 10.0
    assert guard.is_good(8.0, 1.0)
    assert guard.mean == pytest.approx(0.95 * 10 + 0.05 * 8)
    assert guard.lowest == guard.mean


def test_a_falling_loss_and_single_peaks_pass() -> None:
    guard = DivergenceGuard()
    assert all(guard.is_good(10 - step / 100, 1.0) for step in range(500))
    assert guard.is_good(guard.mean + 15, 1.0)  # one batch: the mean rises by 0.75
    assert all(guard.is_good(5.0, 1.0) for _ in range(50))


def test_a_rise_of_the_mean_by_more_than_a_nat_does_not_pass() -> None:
    guard = DivergenceGuard()
    assert all(guard.is_good(5.0, 1.0) for _ in range(100))
    steps = 0
    while guard.is_good(7.0, 1.0):
        steps += 1
    # 5 + 2 (1 - 0.95^n) passes 6 where 0.95^n falls below a half: n = 14.
    assert steps == math.ceil(math.log(0.5) / math.log(0.95)) - 1 == 13


@pytest.mark.parametrize("loss, norm", [(math.nan, 1.0), (math.inf, 1.0), (5.0, math.nan), (5.0, math.inf)])
def test_what_is_not_finite_does_not_pass_and_is_not_remembered(loss: float, norm: float) -> None:
    guard = DivergenceGuard()
    assert guard.is_good(6.0, 1.0)
    before = guard.state()
    assert not guard.is_good(loss, norm)
    assert guard.state() == before


def test_each_return_halves_the_rate_and_says_so() -> None:
    guard = DivergenceGuard()
    guard.is_good(3.0, 1.0)
    sentence = guard.go_back(step=507, good_step=400, rate=2e-3)
    assert sentence == ("the loss diverged at step 507; going back to step 400 with 0.5 of the learning rate (0.001)")
    assert (guard.factor, guard.returns) == (0.5, 1)
    assert guard.is_good(9.0, 1.0)  # what the loss was before the return is forgotten
    guard.go_back(step=600, good_step=400, rate=1e-3)
    assert (guard.factor, guard.returns) == (0.25, 2)


def test_it_gives_up_in_the_end() -> None:
    guard = DivergenceGuard()
    for number in range(RETURNS):
        guard.go_back(step=number, good_step=0, rate=1.0)
    with pytest.raises(
        RunError, match=r"diverged again at step 77, after 6 returns .* \(now 0\.016\).*a tenth of the learning rate"
    ):
        guard.go_back(step=77, good_step=0, rate=0.0156)


def test_a_new_stage_may_begin_with_a_higher_loss() -> None:
    guard = DivergenceGuard()
    assert all(guard.is_good(2.0, 1.0) for _ in range(50))
    guard.begin_stage()
    assert all(guard.is_good(7.0, 1.0) for _ in range(50))
    assert guard.factor == 1.0


def test_state_there_and_back() -> None:
    guard, other = DivergenceGuard(), DivergenceGuard()
    for state in (guard.state(), {"factor": 0.25, "returns": 2, "mean": 3.5, "lowest": 3.0}):
        other.restore(state)
        assert repr(other.state()) == repr(state)  # nan is not equal to itself
    assert not other.is_good(40.0, 1.0)  # 0.95 * 3.5 + 0.05 * 40 = 5.325, above 3 + 1
