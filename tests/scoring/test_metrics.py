"""Metrics against hand counts and against scikit-learn and scipy called directly."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sklearn_metrics

from albertkit.errors import DataError, UsageError
from albertkit.scoring.metrics import (
    METRICS,
    TASKS,
    check_labels,
    confusion_matrix,
    metric_title,
    score,
)


def test_two_labels_by_hand() -> None:
    # True positives 2, false positives 1, false negatives 1, true negatives 1.
    found = score(
        ["accuracy", "f1", "mcc", "macro_f1"],
        task="classification",
        labels_true=[1, 1, 1, 0, 0],
        outputs=[1, 1, 0, 1, 0],
        num_labels=2,
    ).metrics
    assert list(found) == ["accuracy", "f1", "mcc", "macro_f1"]
    assert found["accuracy"] == pytest.approx(60.0)
    assert found["f1"] == pytest.approx(100 * 4 / 6)
    assert found["mcc"] == pytest.approx(100 * (2 * 1 - 1 * 1) / 6)  # / sqrt(3 * 3 * 2 * 2)
    assert found["macro_f1"] == pytest.approx((100 * 4 / 6 + 50) / 2)


@pytest.mark.parametrize("seed", range(3))
def test_many_labels_agree_with_scikit_learn(seed: int) -> None:
    generator = np.random.default_rng(seed)
    labels, outputs = generator.integers(0, 5, (2, 211))
    found = score(
        ["accuracy", "f1", "mcc"], task="classification", labels_true=labels, outputs=outputs, num_labels=5
    ).metrics
    assert found["accuracy"] == pytest.approx(100 * sklearn_metrics.accuracy_score(labels, outputs))
    assert found["f1"] == pytest.approx(100 * sklearn_metrics.f1_score(labels, outputs, average="macro"))
    assert found["mcc"] == pytest.approx(100 * sklearn_metrics.matthews_corrcoef(labels, outputs))


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_correlations_agree_with_scipy_and_with_numpy(kind: type) -> None:
    generator = np.random.default_rng(5)
    labels = generator.uniform(0, 5, 101)
    outputs = (labels + generator.normal(0, 1, 101)).astype(kind)
    found = score(["pearson", "spearman"], task="regression", labels_true=labels, outputs=outputs, num_labels=1).metrics
    assert found["pearson"] == pytest.approx(100 * np.corrcoef(labels, outputs)[0, 1])
    assert found["spearman"] == pytest.approx(100 * stats.spearmanr(labels, outputs).statistic)


def test_multilabel_by_hand() -> None:
    truth = [[1, 0, 1], [0, 1, 0]]
    outputs = [[1, 0, 0], [0, 1, 0]]
    found = score(
        ["f1", "macro_f1", "accuracy"], task="multilabel", labels_true=truth, outputs=outputs, num_labels=3
    ).metrics
    assert found["f1"] == pytest.approx(100 * 2 * 2 / (2 * 2 + 0 + 1))
    assert found["macro_f1"] == pytest.approx(100 * (1 + 1 + 0) / 3)
    assert found["accuracy"] == 50.0


def test_predicting_one_label_for_all_is_zero_with_a_note() -> None:
    found = score(["mcc"], task="classification", labels_true=[0, 1, 1], outputs=[1, 1, 1], num_labels=2)
    assert found.metrics == {"mcc": 0.0}
    assert found.notes == ("mcc is undefined and given as 0: every prediction is label 1",)
    none_found = score(["f1"], task="classification", labels_true=[0, 0], outputs=[0, 0], num_labels=2)
    assert none_found.metrics == {"f1": 0.0}
    assert "no row is of label 1" in none_found.notes[0]


@pytest.mark.parametrize(
    "labels, outputs, words",
    [
        ([1.0, 2.0, 3.0], [2.5, 2.5, 2.5], "every prediction is 2.5"),
        ([2.0, 2.0, 2.0], [1.0, 2.5, 2.5], "every true number is 2"),
        ([1.0, 2.0, 3.0], [np.nan, 2.0, np.inf], "2 of 3 predictions are not finite"),
        ([1.0], [1.0], "1 example"),
    ],
)
@pytest.mark.parametrize("name", ["pearson", "spearman"])
def test_an_undefined_correlation_is_zero_with_a_note(
    name: str, labels: list[float], outputs: list[float], words: str
) -> None:
    found = score([name], task="regression", labels_true=labels, outputs=outputs, num_labels=1)
    assert found.metrics == {name: 0.0}
    assert words in found.notes[0]


def test_nearly_constant_predictions_give_a_finite_number_and_no_warning() -> None:
    found = score(
        ["pearson"], task="regression", labels_true=[1.0, 2.0, 3.0], outputs=[1.0, 1.0, 1.0 + 1e-15], num_labels=1
    )
    assert np.isfinite(found.metrics["pearson"])


def test_confusion_matrix_by_hand_keeps_labels_that_never_occur() -> None:
    counts = confusion_matrix([0, 0, 1, 2], outputs=[0, 1, 1, 0], num_labels=4)
    assert counts.tolist() == [[1, 1, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]


def test_metrics_fit_their_task_and_every_name_resolves() -> None:
    metrics = {"classification": ("accuracy",), "regression": ("pearson", "spearman"), "multilabel": ("f1", "macro_f1")}
    for task in TASKS:
        labels = np.array([[0, 1], [1, 0], [1, 1]]) if task == "multilabel" else np.array([0, 1, 1])
        found = score(metrics[task], task=task, labels_true=labels, outputs=labels, num_labels=2).metrics
        assert list(found.values()) == pytest.approx([100.0] * len(found))
    assert all(callable(METRICS[name]) for name in METRICS)
    assert metric_title("accuracy") == "accuracy, %"


@pytest.mark.parametrize(
    "name, task, message",
    [
        ("acuracy", "classification", 'unknown metric "acuracy"; did you mean "accuracy"'),
        ("pearson", "classification", 'metric "pearson" does not fit a classification task; use accuracy'),
        ("accuracy", "regression", 'metric "accuracy" does not fit a regression task; use pearson, spearman'),
        ("accuracy", "tagging", 'task "tagging" is not scored by labels'),
    ],
)
def test_names_that_do_not_fit_are_refused(name: str, task: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        score([name], task=task, labels_true=[0, 1], outputs=[0, 1], num_labels=2)


@pytest.mark.parametrize(
    "labels, outputs, task, message",
    [
        ([], [], "classification", "nothing to score"),
        ([0, 1], [0], "classification", r"\[2\] labels against \[1\] predictions"),
        ([0, -1], [0, 1], "classification", "label -1 in row 1 .* a split without labels cannot be scored"),
        ([0, 1], [0, 2], "classification", "prediction 2 in row 1 is not a whole number from 0 to 1"),
        ([0, 0.5], [0, 1], "classification", "label 0.5 in row 1"),
        ([0.0, np.nan], [0.0, 1.0], "regression", "the label of row 1 is nan, not a finite number"),
        ([0, 1], [0, 1], "multilabel", r"needs \[n, 2\]"),
        ([[0, 2]], [[0, 1]], "multilabel", "label 2 in row 0"),
        (["a", "b"], ["a", "b"], "classification", "labels must be numbers"),
    ],
)
def test_bad_input_is_refused(labels: list[object], outputs: list[object], task: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        score([], task=task, labels_true=labels, outputs=outputs, num_labels=2)  # type: ignore[arg-type]


def test_check_labels_names_what_it_checks() -> None:
    with pytest.raises(DataError, match="training label 3 in row 0"):
        check_labels([3], task="classification", num_labels=2, what="training label")


def test_import_is_quick() -> None:
    code = (
        "import sys, albertkit.evaluation.report, albertkit.evaluation.plots, albertkit.evaluation.runs\n"
        "slow = {'torch', 'sklearn', 'scipy', 'matplotlib', 'rich'} & set(sys.modules)\n"
        "assert not slow, slow"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
