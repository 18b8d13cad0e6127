"""Intervals of scores against scipy and simulation, and when a score says nothing."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from albertkit.scoring.intervals import (
    Interval,
    correlation_interval,
    f1_interval,
    mean_interval,
    says_nothing,
    share_interval,
    too_few,
)
from albertkit.scoring.metrics import score
from albertkit.tasks.token_classification.metrics import tag_scores


@pytest.mark.parametrize(("right", "count"), [(0, 3), (2, 3), (3, 3), (17, 40), (99, 100), (870, 1000)])
def test_shares_are_those_of_scipy(right: int, count: int) -> None:
    theirs = stats.binomtest(right, count).proportion_ci(0.95, method="wilson")
    assert share_interval(100 * right / count, count) == pytest.approx((100 * theirs.low, 100 * theirs.high), abs=1e-4)


@pytest.mark.parametrize("count", [30, 400])
def test_correlations_are_those_of_scipy(count: int) -> None:
    draw = np.random.default_rng(count)
    one = draw.normal(size=count)
    other = one + draw.normal(size=count)
    found = stats.pearsonr(one, other)
    theirs = found.confidence_interval(0.95)
    ours = correlation_interval(100 * found.statistic, count)
    assert ours == pytest.approx((100 * theirs.low, 100 * theirs.high), abs=1e-4)


def held(true: float, intervals: list[Interval]) -> float:
    return sum(low <= true <= high for low, high in intervals) / len(intervals)


def test_f1_intervals_hold_the_true_value() -> None:
    # 60 rows, a third of label 1; the classifier is right on 70 % of those and on 90 % of the others.
    draw = np.random.default_rng(3)
    found, macro = [], []
    for _ in range(400):
        labels = (draw.random(60) < 1 / 3).astype(int)
        outputs = np.where(draw.random(60) < np.where(labels == 1, 0.7, 0.9), labels, 1 - labels)
        one = score(("f1", "macro_f1"), task="classification", labels_true=labels, outputs=outputs, num_labels=2)
        found.append(one.intervals["f1"])
        macro.append(one.intervals["macro_f1"])
    right, wrong = 0.7 / 3, 0.3 / 3 + 0.1 * 2 / 3  # shares of all rows
    true = 200 * right / (2 * right + wrong)
    other = 200 * 0.6 / (2 * 0.6 + wrong)
    assert 0.9 < held(true, found) <= 1
    assert 0.9 < held((true + other) / 2, macro) <= 1


def test_every_metric_of_three_examples_says_nothing() -> None:
    classes = score(
        ("accuracy", "f1", "macro_f1", "mcc"), task="classification", labels_true=[0, 1, 1], outputs=[0, 1, 1],
        num_labels=2,
    )  # fmt: skip
    numbers = score(
        ("pearson", "spearman"), task="regression", labels_true=[0.1, 2, 3], outputs=[0.1, 2, 3], num_labels=1
    )
    several = score(
        ("f1", "macro_f1", "accuracy"), task="multilabel", labels_true=[[1, 0], [0, 1], [1, 0]],
        outputs=[[1, 0], [0, 1], [1, 0]], num_labels=2,
    )  # fmt: skip
    tags = tag_scores([["B-A", "O"], ["B-A"]], tags_predicted=[["B-A", "O"], ["B-A"]])
    for found in (classes, numbers, several, tags):
        assert found.intervals.keys() == found.metrics.keys()
        for name, interval in found.intervals.items():
            assert interval[0] <= found.metrics[name] <= interval[1]
            assert says_nothing(interval), name


def test_rare_labels_count_and_not_all_examples() -> None:
    labels = np.zeros(1000, int)
    labels[:3] = 1
    outputs = labels.copy()
    outputs[0] = 0
    found = score(("accuracy", "f1"), task="classification", labels_true=labels, outputs=outputs, num_labels=2)
    assert not says_nothing(found.intervals["accuracy"])
    assert says_nothing(found.intervals["f1"])


def test_constant_predictions_have_an_interval_too() -> None:
    for task, name in (("classification", "mcc"), ("regression", "pearson")):
        found = score([name], task=task, labels_true=[0, 1, 1], outputs=[1, 1, 1], num_labels=2)
        assert found.metrics == {name: 0.0}
        assert found.intervals == {name: (-100.0, 100.0)}


def test_answers_choices_and_similarities() -> None:
    from albertkit.data.examples import Answer, ChoiceExample, SpanExample, TextExample
    from albertkit.tasks.multiple_choice import MULTIPLE_CHOICE
    from albertkit.tasks.question_answering import QUESTION_ANSWERING
    from albertkit.tasks.similarity import SIMILARITY

    questions = [SpanExample("Where?", "In Rome.", (Answer("Rome", 3),))] * 4
    spans = QUESTION_ANSWERING.score([{"answer": "Rome"}] * 4, questions)
    assert spans.intervals == {name: share_interval(100, 4) for name in ("f1", "exact")}
    choices = MULTIPLE_CHOICE.score([{"choice": 1}], [ChoiceExample("c", "q", ("a", "b"), label=1)])
    assert choices.intervals == {"accuracy": share_interval(100, 1)}
    pairs = [TextExample("a", "b", number / 9) for number in range(9)]
    alike = SIMILARITY.score([{"similarity": number % 4} for number in range(9)], pairs)
    assert alike.intervals["pearson"] == correlation_interval(alike.metrics["pearson"], 9)


@pytest.mark.parametrize(
    ("value", "count", "little"), [(100, 3, True), (50, 38, True), (50, 40, False), (90, 14, True), (90, 20, False)]
)
def test_the_bound_is_fifteen_points_to_either_side(value: float, count: int, little: bool) -> None:
    assert says_nothing(share_interval(value, count)) is little


def test_nothing_to_count() -> None:
    assert share_interval(0.0, 0) == (0.0, 100.0)
    assert f1_interval(0, given=0, wanted=0) == (0.0, 100.0)
    assert mean_interval([40.0], [(30.0, 50.0)]) == (30.0, 50.0)
    assert too_few(1234) == "too few examples to score (1,234)"
