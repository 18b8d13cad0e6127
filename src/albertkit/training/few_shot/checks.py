"""Check that a few-shot run is possible (its task, options and rows), before any file is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import numpy as np
import numpy.typing as npt

from albertkit.data.examples import TextExample
from albertkit.datasets.dataset import Dataset
from albertkit.errors import DataError, UsageError
from albertkit.training.settings import FinetuneSettings

FEW = 100
"""Rows per label, as a median over the labels, below which few-shot training is the better choice."""

_UNUSED = (
    "epochs", "steps", "batch_size", "optimizer", "learning_rate", "schedule", "warmup", "weight_decay", "clip_norm",
    "freeze_encoder", "head_hidden", "head_norm", "exits", "patience", "gradient_checkpointing", "save_seconds",
    "teacher", "unlabelled", "teacher_weight", "temperature",
)  # fmt: skip
_SPLITS = ("validation", "validation_split")


def check_few_shot(task: str, settings: FinetuneSettings) -> None:
    """Refuse a task other than classification, and options that only the full training reads.

    Raises:
        UsageError: names the task or the options.
    """
    if task != "classification":
        raise UsageError(f"--few-shot is for classification; leave it out for {task}")
    default = {entry.name: entry.default for entry in fields(FinetuneSettings)}
    given = [name for name in (*_UNUSED, *_SPLITS) if getattr(settings, name) != default[name]]
    if not given:
        return
    options = ", ".join(f"--{name.replace('_', '-')}" for name in given)
    if set(given) <= set(_SPLITS):
        why = "it chooses by cross-validation on the training rows and needs no validation split"
    else:
        why = "it finds its own settings by cross-validation on the training rows"
    raise UsageError(f"--few-shot does not take {options}: {why}; leave {'it' if len(given) == 1 else 'them'} out")


def check_rows(train: Dataset, targets: npt.NDArray[np.int64], *, labels: Sequence[str]) -> None:
    """Refuse labels that cannot be cross-validated.

    Args:
        train: the training split, to name it.
        targets: number of each row's label, `[rows]`.
        labels: names of the labels.

    Raises:
        DataError: names the labels that have one row, or none.
    """
    counts = np.bincount(targets, minlength=len(labels))
    short = [(name, int(count)) for name, count in zip(labels, counts, strict=True) if count < 2]
    if not short:
        return
    said = ", ".join(f'"{name:.60}" has {("no row", "one row")[count]}' for name, count in short[:8])
    more = f", and {len(short) - 8} more have one row or none" if len(short) > 8 else ""
    raise DataError(
        f"{train.name}, split {train.split}: the label {said}{more}; --few-shot needs two rows of each label to "
        "cross-validate: add rows, or leave the label out"
    )


def suits(rows: npt.NDArray[np.int64]) -> bool:
    """Return whether few-shot training is the better choice for labels with so many rows each, and can be made.

    >>> suits(np.array([99, 99])), suits(np.array([5, 500, 200])), suits(np.array([50, 1]))
    (True, False, False)
    """
    return bool(rows.min() >= 2 and np.median(rows) < FEW)


def rows_per_label(train: Dataset) -> int:
    """Return the median number of rows over the labels that have any.

    >>> from albertkit.data.examples import TextExample
    >>> rows = [TextExample("a", label=label) for label in (0, 0, 0, 1, 2, 2)]
    >>> rows_per_label(Dataset("a.csv", "train", "classification", ("x", "y", "z"), ("accuracy",), rows))
    2
    """
    counts = np.unique([example.label for example in train.of(TextExample)], return_counts=True)[1]
    return int(np.median(counts)) if len(counts) else 0


def amount_note(train: Dataset, task: str, settings: FinetuneSettings) -> list[str]:
    """Return a sentence where the number of labelled rows speaks for the other way to train, else nothing.

    Args:
        train: the training split.
        task: task of the run.
        settings: whether few-shot training was asked for.
    """
    if task != "classification" or settings.freeze_encoder:
        return []
    rows = rows_per_label(train)
    if rows < FEW and not settings.few_shot:
        return [
            f"{train.split} has {rows} rows per label (median); below about {FEW}, --few-shot is usually better and "
            "takes seconds"
        ]
    if rows >= FEW and settings.few_shot:
        return [
            f"{train.split} has {rows} rows per label (median); from about {FEW} on, training without --few-shot is "
            "usually better"
        ]
    return []
