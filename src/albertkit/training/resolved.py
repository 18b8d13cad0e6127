"""Resolved: a fine-tuning with every choice made and checked, from what the user gave, the model and the data."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from albertkit.datasets.dataset import Dataset
from albertkit.models.loaded import Model
from albertkit.tasks import TASKS
from albertkit.tasks.classification import ClassificationTask
from albertkit.tasks.classification.windows import Windows
from albertkit.tasks.head_spec import HeadSpec
from albertkit.tasks.task import Task
from albertkit.training.checks import check_head, check_length, task_for, with_dimensions
from albertkit.training.class_weights import class_weights
from albertkit.training.exits import check_exits
from albertkit.training.few_shot.checks import check_few_shot
from albertkit.training.long_texts import long_of, windows_of
from albertkit.training.recipes import LoopSettings, complete
from albertkit.training.settings import FinetuneSettings
from albertkit.training.task_teacher import TeacherSettings, teacher_settings


@dataclass(frozen=True)
class Resolved:
    """What a training does."""

    settings: FinetuneSettings
    """What the user gave, with the choices below filled in: what `config.json` keeps."""
    task: Task
    """What the head is trained for."""
    head: HeadSpec
    max_length: int
    """Longest input in tokens."""
    windows: Windows | None
    """How longer texts are read; None where they are cut."""
    class_weights: npt.NDArray[np.float32] | None
    """Of the labels in the loss; None where all have the same."""
    loop: LoopSettings | None
    """None for few-shot training, which plans its own steps."""
    teacher: TeacherSettings | None
    """None where only labels are learned."""


def resolve(settings: FinetuneSettings, base: Model, train: Dataset) -> Resolved:
    """Make every choice that is open, and refuse what cannot be trained.

    Args:
        settings: what the user gave.
        base: the model to start from.
        train: the examples to train on.

    Raises:
        UsageError: task, head, length, few-shot training, exits, windows, weights or teacher do not go together.
    """
    check_length(settings, base)
    name = settings.task or task_for(train)
    task = TASKS[name]
    check_head(name, settings, train)
    config = base.config
    settings, max_length, loop = complete(
        settings,
        nano=config.hidden_size <= 256,
        positions=config.max_position_embeddings,
        task=task,
        rows=len(train),
        pairs=train.is_pair,
    )
    check_exits(task, settings)
    if settings.few_shot:
        check_few_shot(name, settings)
    head = HeadSpec(settings.head_hidden, settings.head_norm, settings.pooling or HeadSpec.pooling)
    if settings.dimensions:
        task = with_dimensions(task, settings.dimensions, head=head, base=base)
    settings = replace(settings, long=long_of(settings, train=train))
    windows = windows_of(settings, task=task, max_length=max_length, pairs=train.is_pair)
    if windows is not None and isinstance(task, ClassificationTask):
        settings = replace(settings, stride=windows.stride, max_windows=windows.most)
        task = task.reading(windows)
    teacher = teacher_settings(settings, task=task)
    if teacher is not None:
        settings = replace(settings, teacher_weight=teacher.weight, temperature=teacher.temperature)
    return Resolved(
        settings=settings,
        task=task,
        head=head,
        max_length=max_length,
        windows=windows,
        class_weights=class_weights(settings.class_weights, task=task, examples=train.examples, labels=train.labels),
        loop=loop,
        teacher=teacher,
    )
