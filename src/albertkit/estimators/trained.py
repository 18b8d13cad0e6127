"""TrainedEstimator: what the classifier and the regressor share: settings, the fit, pickles, folders."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from albertkit.data.examples import TextExample
from albertkit.errors import UsageError
from albertkit.estimators.fitting import Fitted, fit, on_threads
from albertkit.estimators.inputs import InputError, examples_of
from albertkit.estimators.saving import folder_facts, save_folder
from albertkit.estimators.text_estimator import TextEstimator
from albertkit.inference.predictor import Predictor
from albertkit.models.pretrained import load_model
from albertkit.training.settings import FinetuneSettings

Estimator = TypeVar("Estimator", bound="TrainedEstimator")


def plain(value: Any) -> Any:
    """Return NumPy's kinds of numbers, which a search draws, as Python's, which settings are written in.

    >>> plain(np.int64(3)), plain(None)
    (3, None)
    """
    return value.item() if isinstance(value, np.generic) else value


class TrainedEstimator(TextEstimator):
    """An ALBERT with a head, trained by `fit`."""

    _task: str
    """What the head is for."""

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
        validation_fraction: float = 0.1,
        random_state: Any = 12345,
        threads: int | None = None,
        verbose: bool = False,
    ) -> None:
        self.model = model
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.max_length = max_length
        self.frozen = frozen
        self.pooling = pooling
        self.validation_fraction = validation_fraction
        self.random_state = random_state
        self.threads = threads
        self.verbose = verbose

    def _settings(self) -> FinetuneSettings:
        state = plain(self.random_state)
        seed = state if isinstance(state, int) else int(check_random_state(state).randint(2**31))
        return FinetuneSettings(
            model=str(self.model),
            data="",
            out="",
            task=self._task,
            epochs=plain(self.epochs),
            learning_rate=plain(self.learning_rate),
            batch_size=plain(self.batch_size),
            max_length=plain(self.max_length),
            freeze_encoder=bool(self.frozen),
            pooling=self.pooling,
            seed=seed,
            baseline=False,
        )

    def _train(
        self,
        examples: Sequence[TextExample],
        targets: npt.NDArray[Any],
        *,
        labels: Sequence[str] = (),
        settings: FinetuneSettings,
    ) -> Fitted:
        rows = [replace(row, label=target) for row, target in zip(examples, targets.tolist(), strict=True)]
        with on_threads(self.threads):
            return fit(
                rows,
                labels=labels,
                settings=settings,
                validation_fraction=self.validation_fraction,
                verbose=bool(self.verbose),
            )

    def _take(self, fitted: Fitted, *, is_pair: bool) -> None:
        self.predictor_ = Predictor(fitted.model)
        self.n_features_in_ = 2 if is_pair else 1
        self.n_iter_ = len(fitted.history)
        self.history_ = fitted.history
        self.notes_ = fitted.notes

    def _logits(self, X: Any) -> npt.NDArray[np.float32]:  # noqa: N803 - scikit-learn's name
        check_is_fitted(self)
        examples = examples_of(X)
        if not examples:
            return np.zeros((0, max(len(self.predictor_.labels), 1)), np.float32)
        columns = 1 if examples[0].pair is None else 2
        if columns != getattr(self, "n_features_in_", columns):  # a run of `albertkit finetune` does not say
            fitted, there = ("single texts", "pairs") if columns == 2 else ("pairs of texts", "single texts")
            raise InputError(f"X holds {there}, but this {type(self).__name__} was fitted on {fitted}")
        with on_threads(self.threads):
            return self.predictor_.logits(examples)

    def _facts(self) -> dict[str, Any]:
        return {"columns": self.n_features_in_} if hasattr(self, "n_features_in_") else {}

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the trained model as a folder that `albertkit predict` and the other commands read, too.

        Args:
            folder: the folder to write; it must not exist.

        Raises:
            NotFittedError: `fit` was not called.
            UsageError: something already exists.
            WriteError: the system refused.
        """
        check_is_fitted(self)
        save_folder(self.predictor_.model, folder, facts=self._facts())

    @classmethod
    def load(cls: type[Estimator], folder: str | os.PathLike[str]) -> Estimator:
        """Return a fitted estimator of what `save`, or a run of `albertkit finetune`, wrote.

        Another `fit` of it starts from the model in that folder.

        Args:
            folder: a model folder or a run directory.

        Raises:
            UsageError: its model has another task, or none.
            CheckpointError: the files are not a model.
        """
        model = load_model(folder)
        if model.task is None or model.task.name != cls._task:
            has = "no task head" if model.task is None else f"a head for {model.task.name}"
            raise UsageError(f"{folder} has {has}, but {cls.__name__} is for {cls._task}")
        loaded = cls(model=str(folder), max_length=model.max_length, pooling=model.head.pooling)
        facts = folder_facts(folder)
        loaded.predictor_ = Predictor(model)
        if "columns" in facts:
            loaded.n_features_in_ = int(facts["columns"])
        loaded._take_facts(facts)
        return loaded

    def _take_facts(self, facts: dict[str, Any]) -> None:
        """Set what only a subclass knows of a loaded folder."""
