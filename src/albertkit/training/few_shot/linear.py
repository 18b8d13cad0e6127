"""The head: multinomial logistic regression on centred features, folded into an ordinary linear head."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from albertkit.checkpoints.dense import Dense

FloatArray = npt.NDArray[np.float64]

STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""The `C` that are tried: scikit-learn's inverse strength of the L2 penalty. With 8 to 64 rows per label, the best of
SST-2 and AG News are between 1e-4 and 1e-1."""
_ITERATIONS = 1000


@dataclass(frozen=True)
class LinearMap:
    """A linear classifier on the features themselves."""

    weight: FloatArray
    """`[labels, features]`."""
    bias: FloatArray
    """`[labels]`."""

    def __call__(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return logits `[rows, labels]` of features `[rows, features]`."""
        logits: npt.NDArray[np.float32] = (features @ self.weight.T + self.bias).astype(np.float32)
        return logits

    def after(self, dense: Dense) -> LinearMap:
        """Return both maps as one: the classifier of features that `dense`, a linear one, maps first."""
        return LinearMap(self.weight @ dense.weight, self.bias + self.weight @ dense.bias)


def fit_linear(
    features: npt.NDArray[np.float32],
    targets: npt.NDArray[np.int64],
    *,
    num_labels: int,
    strength: float,
    weights: npt.NDArray[np.float32] | None = None,
) -> LinearMap:
    """Fit logistic regression and return it as a map of the features as they are.

    The features are centred and divided by one number, the mean of their standard deviations: so `strength` means the
    same for every network. One number does better than one per feature, which few rows do not tell well.

    Args:
        features: `[rows, features]`.
        targets: number of each row's label; all of `num_labels` are there.
        num_labels: number of labels of the head.
        strength: scikit-learn's `C`.
        weights: weights of the labels, `[labels]`; 1 where left out.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    rows = features.astype(np.float64)
    centre = rows.mean(axis=0)
    scale = float(rows.std(axis=0).mean()) or 1.0  # equal rows: nothing to learn but the bias
    model = LogisticRegression(C=strength, max_iter=_ITERATIONS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # after so many iterations the rest changes no answer
        model.fit((rows - centre) / scale, targets, sample_weight=None if weights is None else weights[targets])
    weight, bias = model.coef_ / scale, model.intercept_
    if num_labels == 2:  # scikit-learn keeps the difference of the two rows
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    return LinearMap(weight, bias - weight @ centre)
