"""When a text may leave: the paper's rule by hand, entropy, and refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import entropy

from albertkit.errors import UsageError
from albertkit.tasks import TASKS
from albertkit.tasks.exit_rules import ExitRule

CLASSIFICATION, REGRESSION, MULTILABEL = (TASKS[name] for name in ("classification", "regression", "multilabel"))


def layer_of_leaving(rule: ExitRule, rows: list[list[float]], task: object = CLASSIFICATION) -> int | None:
    """Show one sequence's logits to the rule layer by layer; return the layer, from 1, where it may leave."""
    watch = rule.watch(task)  # type: ignore[arg-type]
    for layer, row in enumerate(rows, start=1):
        if watch(np.array([row], np.float32))[0]:
            return layer
    return None


A, B = [2.0, 1.0], [1.0, 2.0]


@pytest.mark.parametrize(
    ("patience", "leaves"),
    [(1, 3), (2, 6), (3, 7), (4, None)],
)
def test_the_papers_counter_by_hand(patience: int, leaves: int | None) -> None:
    # classes   A B B A A A A      cnt_i = cnt_{i-1} + 1 where layer i says what layer i - 1 said, else 0; cnt_1 = 0
    # counter   0 0 1 0 1 2 3
    assert layer_of_leaving(ExitRule(patience=patience), [A, B, B, A, A, A, A]) == leaves


def test_numbers_agree_within_the_tolerance() -> None:
    # differences  0.4  0.09  0.1  0.05  0.02     counter at tolerance 0.1:  0 | 0 1 0 1 2 (0.1 is not below 0.1)
    rows = [[1.0], [1.4], [1.49], [1.5900001], [1.6400001], [1.6600001]]
    assert layer_of_leaving(ExitRule(patience=1, tolerance=0.1), rows, REGRESSION) == 3
    assert layer_of_leaving(ExitRule(patience=2, tolerance=0.1), rows, REGRESSION) == 6
    assert layer_of_leaving(ExitRule(patience=2, tolerance=0.2), rows, REGRESSION) == 4


def test_several_labels_must_all_agree() -> None:
    rows = [[1.0, -1.0, 2.0], [1.0, 1.0, 2.0], [3.0, 0.5, 0.1]]
    assert layer_of_leaving(ExitRule(patience=1), rows, MULTILABEL) == 3


def test_entropy_is_that_of_the_probabilities_in_nats() -> None:
    logits = np.random.RandomState(5).normal(size=(97, 3)).astype(np.float32) * 2
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    for threshold in (0.1, 0.5, 1.0):
        found = ExitRule(entropy=threshold).watch(CLASSIFICATION)(logits)
        assert (found == (entropy(shares, axis=1) < threshold)).all()
        assert 0 < found.sum() < 97
    sure = np.array([[1000.0, -1000.0]], np.float32)  # a probability of exactly 0
    assert ExitRule(entropy=1e-6).watch(CLASSIFICATION)(sure).tolist() == [True]
    assert ExitRule(entropy=math.log(2)).watch(CLASSIFICATION)(np.zeros((1, 2), np.float32)).tolist() == [False]


def test_those_that_stay_keep_their_counters() -> None:
    rows = np.random.RandomState(3).normal(size=(11, 41, 2)).astype(np.float32)
    alone = [layer_of_leaving(ExitRule(patience=2), rows[:, one].tolist()) for one in range(41)]
    watch = ExitRule(patience=2).watch(CLASSIFICATION)
    together: list[int | None] = [None] * 41
    there = np.arange(41)
    for layer in range(11):
        leaves = watch(rows[layer, there])
        for one in there[leaves]:
            together[one] = layer + 1
        there = there[~leaves]
    assert together == alone
    assert None in alone or len(set(alone)) > 3


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "give either --exit-patience or --entropy"),
        ({"patience": 2, "entropy": 0.1}, "not both"),
        ({"tolerance": 0.1}, "not both"),
        ({"patience": 0}, "--exit-patience is 0; it must be 1 or more"),
        ({"entropy": 0.0}, "--entropy is 0; it must be above 0 nats"),
        ({"entropy": float("nan")}, "--entropy is nan"),
        ({"patience": 1, "tolerance": 0.0}, "--tolerance is 0; it must be a difference above 0"),
    ],
)
def test_numbers_that_cannot_be(values: dict[str, float], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        ExitRule(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rule", "task", "words"),
    [
        (ExitRule(patience=2), "regression", "--exit-patience with a regression needs --tolerance"),
        (ExitRule(entropy=0.1), "regression", "--entropy needs one label per text, but this is regression"),
        (ExitRule(entropy=0.1), "multilabel", "use --exit-patience"),
        (ExitRule(patience=2, tolerance=0.1), "classification", "--tolerance works only for regression"),
        (ExitRule(patience=2), "token_classification", "not for token_classification"),
    ],
)
def test_rules_that_a_task_cannot_follow(rule: ExitRule, task: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        rule.watch(TASKS[task])
