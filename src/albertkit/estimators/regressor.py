"""AlbertRegressor: a scikit-learn regressor of texts."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import RegressorMixin

from albertkit.estimators.inputs import column_of, examples_of, numbers_of
from albertkit.estimators.trained import TrainedEstimator
from albertkit.models.loaded import Model
from albertkit.tasks.classification.head import LinearHead


class AlbertRegressor(RegressorMixin, TrainedEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Predicts a number for each text, or pair of texts.

    It trains on `(y - mean) / standard deviation`, so numbers of any size do; the trained head holds the way back.

    Args:
        model: a known model, a model folder or a run directory to start from.
        epochs: passes over the rows; 3 if None, more for few rows; where `frozen` 100, which train the head only.
        learning_rate: the highest rate; a recipe's if None (albert-nano 5e-4, larger models 3e-5, `frozen` 1e-3).
        batch_size: rows of one optimizer step; 32 if None, or 128 where `frozen`.
        max_length: longest input in tokens; longer texts are cut, and `notes_` says how many.
        frozen: train only the head, on vectors that are computed once per text; see `AlbertClassifier`.
        pooling: what the head reads of each row: `mean` of its tokens' vectors, `pair` of two texts, `cls` or `pooler`;
            if None `mean`, or `pair` for two texts.
        validation_fraction: share of the rows that is not trained on, but chooses the best epoch by Pearson's
            correlation. With 0 every row trains and the last epoch is kept.
        random_state: random seed of the fresh head, dropout, the order of the rows and the rows held out.
        threads: processor threads; torch's own choice if None.
        verbose: report progress on standard error.

    After `fit`: `n_features_in_` (1, or 2 for pairs); `history_`, scores by epoch, of `train` and `validation`, whose
    loss is the squared error in standard deviations; `n_iter_`, epochs; `notes_`, sentences of the run; `predictor_`,
    what `albertkit.load` gives.

    >>> AlbertRegressor(frozen=True)
    AlbertRegressor(frozen=True)
    """

    _task = "regression"

    def fit(self, X: Any, y: Any) -> AlbertRegressor:  # noqa: N803 - scikit-learn's names
        """Train on texts and their numbers.

        Args:
            X: texts `[rows]` (list, array, Series), or pairs `[rows, 2]`.
            y: the number of each, `[rows]`.

        Raises:
            InputError: (a ValueError) rows of X or y that cannot be used.
            UsageError, CheckpointError, RunError: as `albertkit.finetune`.
        """
        examples = examples_of(X)
        numbers = numbers_of(column_of(y, num_rows=len(examples)))
        mean, deviation = float(numbers.mean()), float(numbers.std()) or 1.0
        fitted = self._train(examples, (numbers - mean) / deviation, settings=self._settings())
        _scale_head(fitted.model, factor=deviation, offset=mean)
        self._take(fitted, is_pair=examples[0].pair is not None)
        return self

    def predict(self, X: Any) -> npt.NDArray[np.float64]:  # noqa: N803
        """Return a number for each text, `[rows]`.

        Raises:
            NotFittedError: `fit` was not called.
            InputError: (a ValueError) rows of X that cannot be used.
        """
        numbers: npt.NDArray[np.float64] = self._logits(X)[:, 0].astype(np.float64)
        return numbers


def _scale_head(model: Model, *, factor: float, offset: float) -> None:
    """Make the head give `factor * number + offset`."""
    assert model.task is not None
    head = model.network.heads[model.task.head]
    assert isinstance(head, LinearHead)
    with torch.no_grad():
        head.weight.mul_(factor)
        head.bias.mul_(factor).add_(offset)
