"""Calibration against a count by hand and against scikit-learn's calibration curve."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from albertkit.errors import DataError, UsageError
from albertkit.evaluation.typed_json import from_json, to_json
from albertkit.scoring.calibration import Calibration, calibration


def test_by_hand() -> None:
    # Two bins: (0, 50] holds one right answer at 40 %, (50, 100] one right and one wrong at 90 %.
    found = calibration([[0.4, 0.3, 0.3], [0.9, 0.1, 0.0], [0.9, 0.0, 0.1]], labels_true=[0, 0, 1], num_bins=2)
    assert [entry.examples for entry in found.bins] == [1, 2]
    assert [entry.confidence for entry in found.bins] == [pytest.approx(40), pytest.approx(90)]
    assert [entry.accuracy for entry in found.bins] == [100.0, 50.0]
    assert found.expected_calibration_error == pytest.approx((1 * 60 + 2 * 40) / 3)
    assert found.accuracy == pytest.approx(200 / 3)
    assert found.confidence == pytest.approx(220 / 3)


def test_bins_agree_with_scikit_learn() -> None:
    generator = np.random.default_rng(3)
    positive = generator.uniform(0, 1, 997)
    labels = (generator.uniform(size=997) < positive**2).astype(int)
    found = calibration(np.stack([1 - positive, positive], axis=1), labels_true=labels, num_bins=15)
    confidence = np.maximum(positive, 1 - positive)
    share_right, mean_confidence = calibration_curve((positive > 0.5) == labels, confidence, n_bins=15)
    filled = [entry for entry in found.bins if entry.examples]
    np.testing.assert_allclose([entry.accuracy for entry in filled], 100 * share_right)
    np.testing.assert_allclose([entry.confidence for entry in filled], 100 * mean_confidence)
    weights = np.array([entry.examples for entry in filled]) / 997
    expected = 100 * float(weights @ np.abs(share_right - mean_confidence))
    assert found.expected_calibration_error == pytest.approx(expected)


@pytest.mark.parametrize("bin_number", range(1, 16))
def test_an_edge_belongs_to_the_bin_below(bin_number: int) -> None:
    edge = bin_number / 15
    rest = [(1 - edge) / 15] * 15 if edge < 1 else [0.0] * 15
    if edge < max(rest):
        pytest.skip("the edge is not the highest probability")
    found = calibration([[edge, *rest]], labels_true=[0])
    assert [number for number, entry in enumerate(found.bins, start=1) if entry.examples] == [bin_number]


def test_survives_json() -> None:
    found = calibration([[0.7, 0.3], [0.5, 0.5]], labels_true=[1, 0])
    assert from_json(Calibration, json.loads(json.dumps(to_json(found))), problems=[]) == found
    assert found.bins[0].accuracy is None


@pytest.mark.parametrize(
    "probabilities, labels, message",
    [
        ([[0.7, 0.7]], [0], "row 0 holds no probabilities"),
        ([[0.5, 0.5], [np.nan, 1.0]], [0, 0], "row 1 holds no probabilities"),
        ([[1.5, -0.5]], [0], r"row 0 holds no probabilities \(1.5, -0.5\)"),
        ([[0.5, 0.5]], [2], "label 2 in row 0 is outside 0 to 1"),
        ([[0.5, 0.5]], [0, 1], r"probabilities \[1, 2\] do not fit labels \[2\]"),
        (np.zeros((0, 2)), [], "nothing to calibrate"),
    ],
)
def test_bad_input_is_refused(probabilities: list[list[float]], labels: list[int], message: str) -> None:
    with pytest.raises(DataError, match=message):
        calibration(probabilities, labels_true=labels)


def test_no_bins_are_refused() -> None:
    with pytest.raises(UsageError, match="at least 1 bin, not 0"):
        calibration([[0.5, 0.5]], labels_true=[0], num_bins=0)
