"""Likely label errors: rows whose label is improbable for models that were trained without them.

Confident learning (Northcutt, Jiang, Chuang 2021) on out-of-fold probabilities. They are the mean of two logistic
regressions, on a frozen encoder's vectors and on TF-IDF: the first knows what texts mean, the second knows words that
only this data set uses. On polarity with 5 % of the labels flipped the mean is right more often than
either (docs/auditing.md).
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from albertkit.errors import MissingExtraError
from albertkit.scoring.baseline import Text, tfidf_features

FloatArray = npt.NDArray[np.float64]

FOLDS = 5
_STRENGTH, _TFIDF_STRENGTH = 0.01, 10.0
"""scikit-learn's C for vectors with a mean square of 1, and for TF-IDF, as in `scoring.baseline`."""


class Suspect(NamedTuple):
    """A row whose label is probably wrong."""

    row: int
    suggested: int
    """Number of the label that the probabilities suggest."""
    probability: float
    """Of the given label."""


def import_cleanlab() -> Any:
    """Return cleanlab's filter.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        return importlib.import_module("cleanlab.filter")
    except ImportError as error:
        raise MissingExtraError("cleanlab", extra="audit", purpose="looking for label errors") from error


def out_of_fold(
    vectors: npt.NDArray[np.float32], texts: Sequence[Text], labels: npt.NDArray[np.int64], *, seed: int
) -> FloatArray:
    """Return the probabilities of each row's labels by models trained on the other folds, `[rows, labels]`.

    Args:
        vectors: `[rows, dimensions]`.
        texts: of the same rows.
        labels: numbers from 0 without gaps, each at least twice.
        seed: of the folds.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold

    scaled = vectors / max(float(np.sqrt((vectors.astype(np.float64) ** 2).mean())), 1e-12)
    folds = StratifiedKFold(min(FOLDS, int(np.bincount(labels).min())), shuffle=True, random_state=seed)
    found = np.zeros((len(labels), int(labels.max()) + 1))
    for train, held in folds.split(scaled, labels):
        words = tfidf_features([texts[row] for row in train], [texts[row] for row in held], notes=[])
        for strength, (known, asked) in ((_STRENGTH, (scaled[train], scaled[held])), (_TFIDF_STRENGTH, words)):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what has not converged after so many iterations orders rows as well
                model = LogisticRegression(C=strength, max_iter=200).fit(known, labels[train])
            found[held] += model.predict_proba(asked) / 2
    return found


def label_errors(
    vectors: npt.NDArray[np.float32], texts: Sequence[Text], labels: npt.NDArray[np.int64], *, seed: int
) -> list[Suspect]:
    """Return the rows whose label is probably wrong, the likeliest first.

    Args:
        vectors: `[rows, dimensions]` of a frozen encoder.
        texts: of the same rows.
        labels: numbers from 0; rows of labels that occur once are not looked at.
        seed: of the folds.

    Raises:
        MissingExtraError: cleanlab is not installed.
    """
    found = import_cleanlab()
    counts = np.bincount(labels)
    rows = np.flatnonzero(counts[labels] > 1)
    known, numbers = np.unique(labels[rows], return_inverse=True)
    if len(known) < 2:
        return []
    probabilities = out_of_fold(vectors[rows], [texts[int(row)] for row in rows], numbers, seed=seed)
    picked = found.find_label_issues(
        numbers,
        probabilities,
        filter_by="confident_learning",
        return_indices_ranked_by="self_confidence",
        n_jobs=1,
    )
    return [
        Suspect(int(rows[row]), int(known[probabilities[row].argmax()]), float(probabilities[row, numbers[row]]))
        for row in picked
    ]
