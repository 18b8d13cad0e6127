"""Texts that are longer than a run's inputs: cut, or read in windows."""

from __future__ import annotations

import numpy as np

from albertkit.data.examples import TextExample
from albertkit.datasets.dataset import Dataset
from albertkit.errors import UsageError
from albertkit.tasks.classification import ClassificationTask
from albertkit.tasks.classification.windows import Windows
from albertkit.tasks.task import Task
from albertkit.training.settings import FinetuneSettings

LONG_WORDS = 80
"""Words of the median text from which few-shot training reads texts by sentence, unless told otherwise."""


def long_of(settings: FinetuneSettings, *, train: Dataset) -> str:
    """Return what becomes of long texts: what the settings say, or what suits the training and its texts.

    Args:
        settings: what the user gave.
        train: the examples to train on.
    """
    if settings.long is not None:
        return settings.long
    if not settings.few_shot or train.is_pair:
        return "truncate"
    words = [len(example.text.split()) for example in train.of(TextExample)]
    return "sentences" if words and np.median(words) >= LONG_WORDS else "truncate"


def windows_of(settings: FinetuneSettings, *, task: Task, max_length: int, pairs: bool = False) -> Windows | None:
    """Return how long texts are read in windows; None where they are cut.

    Args:
        settings: complete ones.
        task: task of the training.
        max_length: longest input in tokens.
        pairs: whether the examples are pairs of texts.

    Raises:
        UsageError: the task is not for windows, pairs are not for sentences, or the stride would pass over tokens.
    """
    if settings.long == "truncate":
        return None
    if not isinstance(task, ClassificationTask):
        raise UsageError(
            f"--long {settings.long} is for labels and numbers of whole texts; leave it out for {task.name}"
        )
    if settings.long == "sentences":
        if pairs:
            raise UsageError("--long sentences is for single texts, and these are pairs; give --long windows")
        return Windows.of(None, settings.max_windows, by_sentence=True)
    room = max_length - 2  # [CLS] and [SEP]
    if settings.stride is not None and settings.stride > room:
        raise UsageError(
            f"--stride is {settings.stride}, but an input of {max_length} tokens holds {room} of a text, so windows "
            f"would skip tokens; give {room} or less"
        )
    stride = settings.stride or max(max_length // 2, 1)
    return Windows.of(min(stride, max(room, 1)), settings.max_windows, by_sentence=False)
