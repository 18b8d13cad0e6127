"""Calibration: does a probability of 80 % mean right in 80 % of cases? Bins and the expected calibration error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from albertkit.errors import DataError, UsageError


@dataclass(frozen=True)
class ReliabilityBin:
    """The examples whose highest probability is in (lower, upper]; every number but the count is a percentage."""

    lower: float
    """Lower edge, excluded (the first bin includes 0), 0-100."""
    upper: float
    """Upper edge, included, 0-100."""
    examples: int
    """Number of examples in the bin."""
    confidence: float | None
    """Mean of their highest probabilities, 0-100; None in an empty bin."""
    accuracy: float | None
    """Share that the model gets right, 0-100; None in an empty bin."""


@dataclass(frozen=True)
class Calibration:
    """How far confidence and accuracy lie apart."""

    expected_calibration_error: float
    """Mean |confidence - accuracy| over the examples, in percentage points, 0 (best) to 100."""
    confidence: float
    """Mean of the highest probabilities, 0-100."""
    accuracy: float
    """Share that the model gets right, 0-100."""
    bins: tuple[ReliabilityBin, ...]
    """The bins, from low to high confidence, empty ones too."""


def calibration(probabilities: npt.ArrayLike, *, labels_true: npt.ArrayLike, num_bins: int = 15) -> Calibration:
    """Sort predictions into bins of equal width by their highest probability and compare it with what came true.

    The measure of Guo et al. 2017 (arXiv 1706.04599, section 2).

    >>> sure_and_half_right = calibration([[0.9, 0.1], [0.9, 0.1]], labels_true=[0, 1], num_bins=5)
    >>> round(sure_and_half_right.expected_calibration_error, 1)
    40.0

    Args:
        probabilities: `[n, labels]`, each row sums to 1.
        labels_true: `[n]` label indices.
        num_bins: number of bins over 0 to 100 %.

    Raises:
        UsageError: num_bins is not positive.
        DataError: no rows, shapes that do not fit, a label outside the columns, or rows that are no probabilities.
    """
    if num_bins < 1:
        raise UsageError(f"calibration needs at least 1 bin, not {num_bins}")
    rows, labels = np.asarray(probabilities, dtype=np.float64), np.asarray(labels_true)
    _check(rows, labels)
    confidence = rows.max(axis=1)
    right = rows.argmax(axis=1) == labels
    # Bin k holds (k/n, (k+1)/n]; rounding to 12 digits keeps 0.6 = 9/15 in the bin that ends there.
    index = np.clip(np.ceil(np.round(confidence * num_bins, 12)) - 1, 0, num_bins - 1).astype(np.int64)
    counts = np.bincount(index, minlength=num_bins)
    confidences = np.bincount(index, weights=confidence, minlength=num_bins)
    rights = np.bincount(index, weights=right, minlength=num_bins)
    bins = tuple(
        ReliabilityBin(
            lower=100 * number / num_bins,
            upper=100 * (number + 1) / num_bins,
            examples=int(count),
            confidence=float(100 * confidences[number] / count) if count else None,
            accuracy=float(100 * rights[number] / count) if count else None,
        )
        for number, count in enumerate(counts)
    )
    return Calibration(
        expected_calibration_error=float(100 * np.abs(confidences - rights).sum() / len(labels)),
        confidence=float(100 * confidence.mean()),
        accuracy=float(100 * right.mean()),
        bins=bins,
    )


def _check(rows: npt.NDArray[np.float64], labels: npt.NDArray[Any]) -> None:
    if rows.ndim != 2 or labels.shape != rows.shape[:1]:
        raise DataError(
            f"probabilities {list(rows.shape)} do not fit labels {list(labels.shape)}: [n, labels] and [n] are needed"
        )
    if not len(rows):
        raise DataError("there is nothing to calibrate: 0 examples")
    outside = (labels < 0) | (labels >= rows.shape[1])
    if outside.any():
        row = int(outside.argmax())
        raise DataError(f"label {labels[row]} in row {row} is outside 0 to {rows.shape[1] - 1}")
    # bf16 probabilities are off by up to 2**-8 each, so a row may miss 1 by about a hundredth.
    wrong = ~(np.isfinite(rows).all(axis=1) & (rows >= 0).all(axis=1) & (np.abs(rows.sum(axis=1) - 1) < 0.02))
    if wrong.any():
        row = int(wrong.argmax())
        values = ", ".join(f"{value:g}" for value in rows[row, :5])
        raise DataError(f"row {row} holds no probabilities ({values}): they must lie in [0, 1] and sum to 1")
