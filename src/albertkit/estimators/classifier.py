"""AlbertClassifier: a scikit-learn classifier of texts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import ClassifierMixin

from albertkit.errors import UsageError, did_you_mean
from albertkit.estimators.inputs import InputError, classes_of, column_of, examples_of
from albertkit.estimators.trained import TrainedEstimator, plain
from albertkit.tasks.classification import ClassificationTask
from albertkit.training.few_shot.checks import suits

STRATEGIES = ("auto", "finetune", "few-shot")
"""How `AlbertClassifier` can train."""


class AlbertClassifier(ClassifierMixin, TrainedEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Predicts which of two or more classes each text, or pair of texts, belongs to.

    Training is `albertkit finetune`'s own. It gives the same numbers at every call with the same `random_state`.

    Args:
        model: a known model, a model folder or a run directory to start from.
        epochs: passes over the rows; 3 if None, more for few rows; where `frozen` 100, which train the head only.
        learning_rate: the highest rate; a recipe's if None (albert-nano 5e-4, larger models 3e-5, `frozen` 1e-3).
        batch_size: rows of one optimizer step; 32 if None, or 128 where `frozen`.
        max_length: longest input in tokens; longer texts are cut, and `notes_` says how many.
        frozen: train only the head, on vectors that are computed once per text. Much faster, less accurate. They are
            kept in albertkit's cache, so a second fit on the same texts is faster still.
        pooling: what the head reads of each row: `mean` of its tokens' vectors, `pair` of two texts, `cls` or `pooler`;
            if None `mean`, or `pair` for two texts.
        strategy: how to train. `finetune`: the whole network, or the head where `frozen`. `few-shot`: cross-validation
            on the rows chooses between a linear head on frozen features and contrastive pairs; it takes neither
            `epochs`, `learning_rate`, `batch_size` nor `frozen`, and every row trains. `auto`: `few-shot` where the
            median class has fewer than 100 rows, every class two or more, and none of these four is given; else
            `finetune`.
        class_weight: what a mistake counts by class: None, `"balanced"`, or class -> weight (1 if not named).
        validation_fraction: share of the rows that is not trained on, but chooses the best epoch and, from 100 such
            rows on, calibrates the probabilities. With 0 every row trains and the last epoch is kept. Few-shot training
            uses every row and calibrates from 100 rows on.
        random_state: random seed of the fresh head, dropout, the order of the rows and the rows held out.
        threads: processor threads; torch's own choice if None.
        verbose: report progress on standard error.

    After `fit`: `classes_`; `n_features_in_` (1, or 2 for pairs); `history_`, scores by epoch, of `train` and
    `validation`; `n_iter_`, epochs; `notes_`, sentences of the run; `predictor_`, what `albertkit.load` gives.

    >>> AlbertClassifier(epochs=2)
    AlbertClassifier(epochs=2)
    """

    _task = "classification"

    def __init__(
        self,
        model: str | os.PathLike[str] = "albert-nano",
        *,
        epochs: int | None = None,
        learning_rate: float | None = None,
        batch_size: int | None = None,
        max_length: int = 128,
        frozen: bool = False,
        pooling: str | None = None,
        strategy: str = "auto",
        class_weight: str | Mapping[Any, float] | None = None,
        validation_fraction: float = 0.1,
        random_state: Any = 12345,
        threads: int | None = None,
        verbose: bool = False,
    ) -> None:
        super().__init__(
            model,
            epochs=epochs,
            learning_rate=learning_rate,
            batch_size=batch_size,
            max_length=max_length,
            frozen=frozen,
            pooling=pooling,
            validation_fraction=validation_fraction,
            random_state=random_state,
            threads=threads,
            verbose=verbose,
        )
        self.strategy = strategy
        self.class_weight = class_weight

    def fit(self, X: Any, y: Any) -> AlbertClassifier:  # noqa: N803 - scikit-learn's names
        """Train on texts and their classes.

        Args:
            X: texts `[rows]` (list, array, Series), or pairs `[rows, 2]`.
            y: the class of each, `[rows]`: words, whole numbers or truth values.

        Raises:
            InputError: (a ValueError) rows of X or y that cannot be used, or y has one class only.
            UsageError, CheckpointError, RunError: as `albertkit.finetune`.
        """
        examples = examples_of(X)
        classes, numbers = classes_of(column_of(y, num_rows=len(examples)))
        settings = replace(
            self._settings(),
            class_weights=self._weights(classes),
            few_shot=self._is_few_shot(classes, np.bincount(numbers)),
        )
        names = [str(value) for value in classes.tolist()]
        fitted = self._train(examples, numbers, labels=names, settings=settings)
        self._take(fitted, is_pair=examples[0].pair is not None)
        self.classes_ = classes
        return self

    def _is_few_shot(self, classes: npt.NDArray[Any], rows: npt.NDArray[np.int64]) -> bool:
        """Return whether to train by `few-shot`, from the classes and the number of rows of each."""
        if self.strategy not in STRATEGIES:
            hint = did_you_mean(str(self.strategy), STRATEGIES)
            raise UsageError(f"strategy is {self.strategy!r:.60}; it must be auto, finetune or few-shot{hint}")
        given = [name for name in ("epochs", "learning_rate", "batch_size") if getattr(self, name) is not None]
        given += ["frozen"] if self.frozen else []
        if self.strategy == "few-shot" and given:
            raise UsageError(
                f'strategy="few-shot" does not take {", ".join(given)}: it finds its own settings by cross-validation; '
                'leave them out, or give strategy="finetune"'
            )
        if self.strategy == "few-shot" and rows.min() < 2:
            raise InputError(
                f"the class {classes[rows.argmin()].item()!r:.60} has one row; few-shot training needs two of each "
                "class to cross-validate: add rows, or leave the class out"
            )
        if self.strategy != "auto":
            return self.strategy == "few-shot"
        return not given and suits(rows)

    def _weights(self, classes: npt.NDArray[Any]) -> str | dict[str, float] | None:
        if not isinstance(self.class_weight, Mapping):
            return self.class_weight
        known = classes.tolist()
        strange = [name for name in self.class_weight if name not in known]
        if strange:
            raise InputError(f"class_weight names the class {strange[0]!r}, but y has {known[:10]}")
        return {str(name): plain(weight) for name, weight in self.class_weight.items()}

    def predict_proba(self, X: Any) -> npt.NDArray[np.float64]:  # noqa: N803
        """Return the probability of each class, in [0, 1], `[rows, classes]`, in the order of `classes_`.

        Raises:
            NotFittedError: `fit` was not called.
            InputError: (a ValueError) rows of X that cannot be used.
        """
        logits = self._logits(X)
        task = self.predictor_.model.task
        assert isinstance(task, ClassificationTask)
        return task.probabilities(logits) if len(logits) else logits.astype(np.float64)

    def predict(self, X: Any) -> npt.NDArray[Any]:  # noqa: N803
        """Return the most probable class of each text, `[rows]`.

        Raises:
            NotFittedError, InputError: as `predict_proba`.
        """
        best = self._logits(X).argmax(axis=1)  # first, since it tells where there is no fit
        answer: npt.NDArray[Any] = self.classes_[best]
        return answer

    def _facts(self) -> dict[str, Any]:
        classes = self.classes_.tolist()
        can_be_json = all(isinstance(value, str | int | float) for value in classes)
        return {**super()._facts(), **({"classes": classes} if can_be_json else {})}

    def _take_facts(self, facts: dict[str, Any]) -> None:
        # What other commands wrote has only the names of its classes.
        self.classes_ = np.array(facts.get("classes") or self.predictor_.labels)
