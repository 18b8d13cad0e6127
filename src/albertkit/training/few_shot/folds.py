"""Stratified folds: each row is held out once, and each label is in every training part."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]

MOST = 5
"""Folds, or fewer where a label has fewer rows."""


def stratified_folds(targets: npt.NDArray[np.int64], *, seed: int) -> list[Rows]:
    """Return the rows that each fold holds out, rising; every label is spread over the folds as evenly as it can be.

    >>> [fold.tolist() for fold in stratified_folds(np.array([0, 0, 0, 1, 1]), seed=1)]
    [[0, 1, 3], [2, 4]]

    Args:
        targets: number of each row's label, `[rows]`; each label that is there has two rows or more.
        seed: another one draws other folds.
    """
    labels, counts = np.unique(targets, return_counts=True)
    number = min(MOST, int(counts.min()))
    random = np.random.RandomState(seed)
    fold_of = np.zeros(len(targets), np.int64)
    next_fold = 0  # continues from label to label, so that the folds have near-equal sizes
    for label in labels:
        rows = random.permutation(np.flatnonzero(targets == label))
        fold_of[rows] = (next_fold + np.arange(len(rows))) % number
        next_fold += len(rows)
    return [np.flatnonzero(fold_of == fold) for fold in range(number)]
