"""Class weights: what a mistake on each class counts in the loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from albertkit.data.examples import Example, TextExample
from albertkit.datasets.dataset import DataSource
from albertkit.errors import UsageError, did_you_mean
from albertkit.tasks.classification import ClassificationTask
from albertkit.tasks.task import Task

FloatArray = npt.NDArray[np.float32]


def class_weights(
    asked: str | Mapping[str, float] | None, *, task: Task, examples: Sequence[Example], labels: Sequence[str]
) -> FloatArray | None:
    """Return the weights of the labels, None where none were asked for.

    `balanced` is scikit-learn's formula, `n / (classes * n_of_the_class)`, over the training examples; their mean is 1
    then. In multi-label each label is a yes or no of its own: `n / (2 * n_with)` where the row has the label and
    `n / (2 * n_without)` where it does not. A class without examples has 1.

    Given by name, the other labels have 1; in multi-label the weight is that of the rows that have the label, as
    torch's `pos_weight`.

    Args:
        asked: `balanced`, or label -> weight.
        task: task of the training.
        examples: the training split, with labels.
        labels: names of the classes.

    Returns:
        `[labels]`; in multi-label `[2, labels]`, of rows without and with each label.

    Raises:
        UsageError: the task has no classes, or a name is not among the labels.
    """
    if asked is None:
        return None
    if not isinstance(task, ClassificationTask) or task.name == "regression":
        raise UsageError(f"--class-weights is for classification and multilabel; leave it out for {task.name}")
    if isinstance(asked, str):
        texts = [example for example in examples if isinstance(example, TextExample)]
        targets = task.targets(texts, num_labels=len(labels))
        if task.name == "classification":
            return balanced(np.bincount(targets, minlength=len(labels)))
        rows = [balanced(np.array([len(targets) - count, count])) for count in targets.sum(axis=0)]
        both: FloatArray = np.stack(rows, axis=1)
        return both
    weights = np.ones(len(labels), np.float32)
    for name, weight in asked.items():
        if name not in labels:
            known = ", ".join(labels[:10]) + (", ..." if len(labels) > 10 else "")
            hint = did_you_mean(name, labels)
            raise UsageError(f'--class-weights names the label "{name:.60}", but the labels are: {known}{hint}')
        weights[list(labels).index(name)] = weight
    return weights if task.name == "classification" else np.stack([np.ones_like(weights), weights])


def balanced(counts: npt.NDArray[Any]) -> FloatArray:
    """Return scikit-learn's balanced weights of classes with so many examples each; 1 for a class without any.

    >>> balanced(np.array([30, 10, 0])).round(3).tolist()
    [0.6669999957084656, 2.0, 1.0]
    """
    there = counts > 0
    weights = np.ones(len(counts), np.float32)
    weights[there] = counts.sum() / (there.sum() * counts[there])
    return weights


def weights_note(weights: FloatArray, *, labels: Sequence[str], shown: int = 12) -> str:
    """Return a sentence with the weights by name.

    >>> weights_note(np.array([0.625, 2.5], np.float32), labels=("ham", "spam"))
    'class weights in the loss: ham 0.625, spam 2.5'
    """
    if weights.ndim == 2:
        rows = [f"{name} {one:.4g} (without it {none:.4g})" for name, none, one in zip(labels, *weights, strict=True)]
    else:
        rows = [f"{name} {weight:.4g}" for name, weight in zip(labels, weights, strict=True)]
    return f"class weights in the loss: {', '.join(rows[:shown])}{', ...' if len(rows) > shown else ''}"


def label_notes(source: DataSource, *, weights: FloatArray | None, task: str | None) -> list[str]:
    """Return what a run says of its labels: their weights, and a name that looks like several.

    Args:
        source: the data.
        weights: what `class_weights` gave.
        task: what the user named; None where it was told from the data.
    """
    notes = [] if weights is None else [weights_note(weights, labels=source.labels)]
    joined = next((label for label in source.labels if "|" in label), None)
    if joined is not None and task is None and source.task == "classification":
        notes.append(f'the label "{joined:.60}" counts as one class; --task multilabel reads it as several labels')
    return notes
