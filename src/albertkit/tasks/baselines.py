"""Baselines made of predictions, which a task's own metrics score."""

from __future__ import annotations

import time
from collections.abc import Callable

from albertkit.datasets.dataset import Dataset
from albertkit.scoring.baseline import Baseline
from albertkit.tasks.task import Predictions, Task


def predicted_baseline(
    task: Task,
    name: str,
    predict: Callable[[], Predictions],
    *,
    scored: Dataset,
    words: str,
    trivial: bool = False,
) -> Baseline:
    """Score what a simple method predicts.

    Args:
        task: what the predictions are for.
        name: name of the baseline.
        predict: makes one prediction per example of the split.
        scored: the split.
        words: what the method does, for the verdict.
        trivial: whether it answers without a model of the texts.
    """
    started = time.perf_counter()
    found = task.score(predict(), scored.examples, labels=scored.labels, data=scored.name)
    found = found.chosen(scored.metrics, task=task.data_task)
    return Baseline(name, found.metrics, time.perf_counter() - started, found.notes, words, trivial)
