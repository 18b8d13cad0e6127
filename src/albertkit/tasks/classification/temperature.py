"""Temperature: one number that logits are divided by, so that probabilities mean what they say.

Guo et al. 2017 (arXiv 1706.04599, section 4.2): of the ways to calibrate a network after its training, the one with a
single parameter, fitted on the validation split, did best. It changes no prediction, since it changes no order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from albertkit.errors import DataError

LEAST_EXAMPLES = 100
"""With fewer validation examples the fit follows chance more than the network."""

RANGE = (0.1, 10.0)
"""Temperatures that a fit may find. Networks are known to need 0.5 to 5; at an edge the likelihood has no maximum, as
where every validation example is right and more confidence is always better."""


def negative_log_likelihood(logits: npt.ArrayLike, *, labels_true: npt.ArrayLike, temperature: float = 1.0) -> float:
    """Return the mean of -log(probability of the true label), in nats.

    >>> round(negative_log_likelihood([[0.0, 0.0]], labels_true=[1]), 4)
    0.6931

    Args:
        logits: `[n, labels]`.
        labels_true: `[n]` label indices.
        temperature: what the logits are divided by.

    Raises:
        DataError: no rows, shapes that do not fit, or a label outside the columns.
    """
    rows, labels = _checked(logits, labels_true)
    found: npt.NDArray[np.float64] = log_softmax(rows / temperature, axis=1)
    return -float(found[np.arange(len(labels)), labels].mean())


def fit_temperature(logits: npt.ArrayLike, *, labels_true: npt.ArrayLike) -> float | None:
    """Return the temperature with the lowest negative log likelihood; None if it is at an edge of `RANGE`.

    >>> fit_temperature([[4.0, 0.0]] * 4, labels_true=[0, 0, 0, 1])  # right in 3 of 4: 4 / T = log 3
    3.640957

    Args:
        logits: logits of examples that the network was not trained on and is not scored on, `[n, labels]`.
        labels_true: `[n]` label indices.

    Raises:
        DataError: no rows, shapes that do not fit, or a label outside the columns.
    """
    rows, labels = _checked(logits, labels_true)
    edges = tuple(np.log(RANGE))
    # Convex in 1 / temperature, so with one minimum in its logarithm as well.
    found = minimize_scalar(
        lambda power: negative_log_likelihood(rows, labels_true=labels, temperature=float(np.exp(power))),
        bounds=edges,
        method="bounded",
        options={"xatol": 1e-9},
    )
    if min(abs(found.x - edge) for edge in edges) < 1e-3:
        return None
    return round(float(np.exp(found.x)), 6)


def _checked(logits: npt.ArrayLike, labels_true: npt.ArrayLike) -> tuple[npt.NDArray[np.float64], npt.NDArray[Any]]:
    rows, labels = np.asarray(logits, dtype=np.float64), np.asarray(labels_true)
    if rows.ndim != 2 or labels.shape != rows.shape[:1] or not len(rows):
        raise DataError(
            f"logits {list(rows.shape)} and labels {list(labels.shape)} give no temperature: [n, labels] and [n] with "
            "at least one row are needed"
        )
    outside = (labels < 0) | (labels >= rows.shape[1])
    if outside.any():
        row = int(outside.argmax())
        raise DataError(f"label {labels[row]} in row {row} is outside 0 to {rows.shape[1] - 1}")
    return rows, labels
