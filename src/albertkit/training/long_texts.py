"""What a run does with texts that are longer than its inputs: cut them, or read them in windows."""

from __future__ import annotations

from dataclasses import replace

from albertkit.errors import UsageError
from albertkit.tasks.classification import ClassificationTask
from albertkit.tasks.classification.windows import MOST
from albertkit.tasks.task import Task
from albertkit.training.settings import FinetuneSettings


def complete_windows(settings: FinetuneSettings, *, task: Task) -> FinetuneSettings:
    """Return the settings with stride and number of windows filled in, where long texts are read in windows.

    Args:
        settings: with a max_length.
        task: of the training.

    Raises:
        UsageError: the task is not for windows, or the stride would pass over tokens.
    """
    if settings.long != "windows":
        return settings
    if not isinstance(task, ClassificationTask):
        raise UsageError(f"--long windows is for labels and numbers of whole texts; leave it out for {task.name}")
    assert settings.max_length is not None
    room = settings.max_length - 2  # [CLS] and [SEP]
    if settings.stride is not None and settings.stride > room:
        raise UsageError(
            f"--stride is {settings.stride}, but an input of {settings.max_length} tokens holds {room} of a text, so "
            f"tokens between two windows would be passed over; give {room} or less"
        )
    stride = settings.stride or max(settings.max_length // 2, 1)
    return replace(settings, stride=min(stride, max(room, 1)), max_windows=settings.max_windows or MOST)


def with_windows(task: Task | None, settings: FinetuneSettings) -> Task | None:
    """Return the task as the run trains it; its model keeps the windows."""
    if not isinstance(task, ClassificationTask) or settings.long != "windows":
        return task
    return replace(task, window_stride=settings.stride, max_windows=settings.max_windows)
