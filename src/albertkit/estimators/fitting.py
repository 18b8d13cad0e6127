"""Fit: rows in memory -> `albertkit.training.train` -> the trained model."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.exceptions import ConvergenceWarning

from albertkit.data.examples import TextExample
from albertkit.data.texts import listed
from albertkit.datasets.dataset import Dataset
from albertkit.datasets.label_check import contradictions, tiny_split
from albertkit.datasets.table import METRICS
from albertkit.errors import UsageError
from albertkit.hardware.device import set_threads
from albertkit.io.progress import Console, Silent
from albertkit.models.loaded import Model
from albertkit.models.pretrained import load_model
from albertkit.training.checks import training_execution
from albertkit.training.class_weights import weights_note
from albertkit.training.resolved import resolve
from albertkit.training.run import Run
from albertkit.training.settings import FinetuneSettings
from albertkit.training.splits import Splits
from albertkit.training.train import train
from albertkit.training.verdict import stuck


@dataclass(frozen=True)
class Fitted:
    """What a fit gave."""

    model: Model
    history: list[dict[str, dict[str, Any]]]
    """Scores of each epoch: `train`, and `validation` where rows were held out."""
    notes: tuple[str, ...]
    """What a user has to know: texts cut, weights of the classes, no calibration."""


def fit(
    examples: Sequence[TextExample],
    *,
    labels: Sequence[str] = (),
    settings: FinetuneSettings,
    validation_fraction: float,
    verbose: bool = False,
) -> Fitted:
    """Train on rows in memory; nothing stays on disk but a frozen encoder's features.

    Args:
        examples: texts or pairs with their label (the number of a class, or a number to predict).
        labels: names of the classes; none in regression.
        settings: settings of the training, with its task.
        validation_fraction: share of the rows that chooses the epoch and calibrates, in [0, 1). Where that is no row,
            all of them train and the weights are those of the last epoch. Few-shot training uses every row.
        verbose: whether to report progress on standard error.

    A training whose loss got nowhere is a ConvergenceWarning, as in scikit-learn.

    Raises:
        UsageError, DataError, CheckpointError, RunError: as `finetune`.
    """
    if not 0 <= validation_fraction < 1:
        raise UsageError(f"validation_fraction is {validation_fraction}; it is a share of the rows, from 0 to below 1")
    fraction = 0.0 if settings.few_shot else validation_fraction  # cross-validation holds rows out itself
    targets = np.array([example.label for example in examples])
    kept, held = divide(targets, fraction=fraction, seed=settings.seed, classes=bool(labels))
    task = settings.task or "classification"
    rows = Dataset("X", "train", task, tuple(labels), METRICS[task], [examples[row] for row in kept])
    splits = Splits.in_memory(rows, [examples[row] for row in held])
    base = load_model(settings.model)
    resolved = resolve(settings, base, rows)
    weights = resolved.class_weights
    blank = [f"row {number}" for number, example in enumerate(examples) if not example.text.strip()]
    splits = splits.noting(
        *([f"X: {len(blank)} texts are empty ({listed(blank, 'rows')})"] if blank else []),
        *([] if weights is None else [weights_note(weights, labels=labels)]),
        *tiny_split(splits.validation, "select the epoch"),
        *contradictions([splits.train, splits.validation]),
    )
    execution = training_execution(settings, to="train")
    trained = train(base, splits, resolved, Run(execution, progress=Console() if verbose else Silent()))
    notes = [*base.notes, *trained.splits.notes]
    if trained.uncalibrated is not None:
        notes.append(trained.uncalibrated)
    sentence = stuck(trained, settings)
    if sentence is not None:
        sentence += " Try another learning_rate or random_state, more epochs, or frozen=True."
        warnings.warn(sentence, ConvergenceWarning, stacklevel=4)
        notes.append(sentence)
    if trained.few_shot is not None:
        notes.append(f"few-shot training: {trained.few_shot.choice.why}")
    history = [{split: dict(scores) for split, scores in epoch.items()} for epoch in trained.epochs]
    return Fitted(replace(trained.predictor.model, notes=()), history, tuple(dict.fromkeys(notes)))


def divide(
    targets: npt.NDArray[Any], *, fraction: float, seed: int, classes: bool
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the numbers of the rows that train and of those held out, maybe none; of every class one row trains.

    >>> [part.tolist() for part in divide(np.array([0, 0, 0, 0, 1]), fraction=0.2, seed=1, classes=True)]
    [[0, 2, 3, 4], [1]]

    Args:
        targets: number of each row's class, or its number, `[rows]`.
        fraction: share of the rows to hold out, in [0, 1); less than half a row is none.
        seed: another one draws other rows.
        classes: whether the targets are classes.
    """
    order = np.random.RandomState(seed).permutation(len(targets))
    needed = set(order[np.unique(targets[order], return_index=True)[1]].tolist()) if classes else {int(order[0])}
    free = [row for row in order.tolist() if row not in needed]
    held = np.sort(np.array(free[: round(fraction * len(targets))], np.int64))
    return np.setdiff1d(np.arange(len(targets)), held), held


@contextmanager
def on_threads(threads: int | None) -> Iterator[None]:
    """Let torch use so many processor threads inside the block; None changes nothing."""
    before = torch.get_num_threads()
    try:
        if threads is not None:
            if threads < 1:
                raise UsageError(f"threads is {threads}; it must be 1 or more")
            set_threads(threads)
        yield
    finally:
        set_threads(before)
