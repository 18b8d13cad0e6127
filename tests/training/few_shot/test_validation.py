"""Cross-validation of a way, and the choice among ways."""

from __future__ import annotations

import numpy as np
import pytest

from albertkit.training.few_shot.linear import STRENGTHS
from albertkit.training.few_shot.validation import Problem, Way, choose, cross_validate, stratified_folds

TARGETS = np.repeat([0, 1], 20)
PROBLEM = Problem(TARGETS, 2, stratified_folds(TARGETS, seed=1), "accuracy")


def features(signal: float, *, seed: int = 0) -> np.ndarray:
    noise = np.random.RandomState(seed).randn(len(TARGETS), 5)
    noise[:, 0] += signal * (2 * TARGETS - 1)
    return noise.astype(np.float32)


@pytest.mark.parametrize("counts", [(8, 8), (3, 40), (2, 2, 2)], ids=str)
def test_every_row_is_held_out_once_and_every_label_trains_in_every_fold(counts: tuple[int, ...]) -> None:
    targets = np.repeat(np.arange(len(counts)), counts)
    folds = stratified_folds(targets, seed=5)
    assert len(folds) == min(5, *counts)
    assert sorted(np.concatenate(folds).tolist()) == list(range(sum(counts)))
    assert all(set(np.delete(targets, fold)) == set(targets) for fold in folds)


def way(name: str, scores: tuple[float, ...], note: str | None = None) -> Way:
    return Way(name, "mean", False, 1.0, scores, np.zeros((0, 2), np.float32), 0.0, note)


def test_a_signal_is_found_and_no_row_scores_itself() -> None:
    found = cross_validate("frozen_mean", lambda _: features(3.0), PROBLEM, pooling="mean")
    assert found.score > 90
    assert found.strength in STRENGTHS
    assert len(found.scores) == 5
    assert 100 * (found.logits.argmax(axis=1) == TARGETS).mean() == pytest.approx(found.score)
    # Forty columns of noise are enough to learn forty rows by heart; held-out rows are guesses all the same.
    noise = np.random.RandomState(2).randn(len(TARGETS), 40).astype(np.float32)
    assert cross_validate("frozen_mean", lambda _: noise, PROBLEM, pooling="mean").score < 80


def test_features_are_asked_for_fold_by_fold_and_a_worse_way_is_given_up() -> None:
    rival = cross_validate("frozen_mean", lambda _: features(9.0), PROBLEM, pooling="mean")
    asked: list[int] = []

    def backwards(fold: int) -> np.ndarray:
        asked.append(fold)
        wrong = features(9.0)
        wrong[PROBLEM.folds[fold], 0] *= -1  # what is held out looks like the other label
        return wrong

    found = cross_validate("contrastive_mean", backwards, PROBLEM, pooling="mean", contrastive=True, rival=rival)
    assert asked == [0, 1]
    assert found.note == "stopped after 2 of 5 folds: worse than frozen_mean in each"
    assert (found.candidate().folds, found.candidate().score) == (2, 0.0)
    chosen, why = choose([rival, found], metric="accuracy", folds=5)
    assert chosen is rival
    assert why == "frozen_mean: 100.0 accuracy (spread 0.0) in 5-fold cross-validation, no other way is clearly better"


@pytest.mark.parametrize(
    ("second", "chosen"),
    [
        ((80.0, 80.0, 80.0, 80.0), "second"),  # 10 better in each fold
        ((72.0, 72.0, 72.0, 65.0), "first"),  # 0.25 better, with a standard error of 1.75
        ((100.0, 69.0, 69.0, 69.0), "first"),  # 6.75 better, with one of 7.75
        ((60.0, 60.0, 60.0, 60.0), "first"),
    ],
    ids=str,
)
def test_a_later_way_has_to_be_clearly_better(second: tuple[float, ...], chosen: str) -> None:
    found, why = choose([way("first", (70.0,) * 4), way("second", second)], metric="f1", folds=4)
    assert found.name == chosen
    assert why.startswith(f"{chosen}: {found.score:.1f} f1 (spread ")
    if second[0] in (72.0, 100.0):
        assert "second is" in why
        assert "within the standard error of" in why


def test_a_way_that_was_given_up_is_not_chosen() -> None:
    ways = [way("first", (70.0,) * 4), way("second", (99.0, 99.0), note="stopped")]
    assert choose(ways, metric="f1", folds=4)[0].name == "first"
