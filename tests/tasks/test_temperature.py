"""Temperatures: found again where they are known, and never worse than none by scikit-learn's log loss."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import log_loss

from albertkit.errors import DataError, UsageError
from albertkit.scoring.calibration import calibration
from albertkit.tasks.classification import CLASSIFICATION, ClassificationTask
from albertkit.tasks.classification.temperature import fit_temperature, negative_log_likelihood


def drawn(count: int, *, labels: int, seed: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and labels drawn by exactly the probabilities that these mean."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(scale=2, size=(count, labels))
    edges = softmax(logits, axis=1).cumsum(axis=1)
    return logits, (generator.uniform(size=(count, 1)) > edges).sum(axis=1).clip(max=labels - 1)


@pytest.mark.parametrize("labels", [2, 7])
@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_the_scale_of_logits_is_found(scale: float, labels: int) -> None:
    logits, true = drawn(20011, labels=labels)
    exact = fit_temperature(logits, labels_true=true)
    found = fit_temperature(scale * logits, labels_true=true)
    assert exact is not None
    assert found == pytest.approx(scale * exact, rel=1e-5)
    assert found == pytest.approx(scale, rel=0.03)  # the draw itself


def test_the_likelihood_is_scikit_learn_s_log_loss_and_gets_better() -> None:
    logits, true = drawn(503, labels=3)
    logits = 3 * logits
    found = fit_temperature(logits, labels_true=true)
    assert found is not None
    losses = {}
    for temperature in (1.0, found, 0.9 * found, 1.1 * found):
        losses[temperature] = log_loss(true, softmax(logits / temperature, axis=1))
        own = negative_log_likelihood(logits, labels_true=true, temperature=temperature)
        assert own == pytest.approx(losses[temperature])
    assert min(losses, key=lambda temperature: losses[temperature]) == found
    assert losses[found] < losses[1.0] - 0.1


def test_a_classifier_s_probabilities_are_calibrated_and_its_labels_stay() -> None:
    logits, true = drawn(4001, labels=3)
    given = (3 * logits).astype(np.float32)
    tempered = ClassificationTask(
        "classification",
        "single_label_classification",
        temperature=fit_temperature(given, labels_true=true),
    )
    before, after = (calibration(task.probabilities(given), labels_true=true) for task in (CLASSIFICATION, tempered))
    assert before.expected_calibration_error > 10
    assert after.expected_calibration_error < 3
    assert (tempered.probabilities(given).argmax(axis=1) == tempered.predicted(given)).all()
    np.testing.assert_allclose(
        tempered.probabilities(given), softmax(given.astype(float) / tempered.temperature, axis=1)
    )


@pytest.mark.parametrize("wrong", [False, True], ids=["all correct", "all wrong"])
def test_where_no_temperature_is_best_there_is_none(wrong: bool) -> None:
    logits = np.eye(2)[[0, 1] * 60] * 2
    assert fit_temperature(logits, labels_true=np.array([0, 1] * 60) ^ wrong) is None


@pytest.mark.parametrize(
    "logits, labels, message",
    [
        (np.zeros((0, 2)), [], "with at least one row are needed"),
        ([[1.0, 2.0]], [0, 1], r"logits \[1, 2\] and labels \[2\]"),
        ([[1.0, 2.0]], [2], "label 2 in row 0 is outside 0 to 1"),
    ],
)
def test_bad_input_is_refused(logits: list[list[float]], labels: list[int], message: str) -> None:
    with pytest.raises(DataError, match=message):
        fit_temperature(logits, labels_true=labels)


@pytest.mark.parametrize("temperature", [0, -1.0, float("nan"), float("inf"), "warm"])
def test_temperatures_that_cannot_be(temperature: float) -> None:
    with pytest.raises(UsageError, match="it must be above 0"):
        ClassificationTask("classification", "x", temperature=temperature)
