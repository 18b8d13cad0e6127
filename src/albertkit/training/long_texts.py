"""Texts that are longer than a run's inputs: cut, or read in windows."""

from __future__ import annotations

from dataclasses import dataclass, replace

from albertkit.errors import UsageError
from albertkit.tasks.classification import ClassificationTask
from albertkit.tasks.classification.windows import MOST
from albertkit.tasks.task import Task
from albertkit.training.settings import FinetuneSettings


@dataclass(frozen=True)
class Windows:
    """How a long text is read in several overlapping inputs."""

    stride: int
    """Tokens from one window to the next."""
    most: int
    """Windows of a text at most."""

    def read_by(self, task: Task) -> Task:
        """Return the task as the run trains it; its model keeps the windows."""
        assert isinstance(task, ClassificationTask)
        return replace(task, window_stride=self.stride, max_windows=self.most)


def windows_of(settings: FinetuneSettings, *, task: Task, max_length: int) -> Windows | None:
    """Return how long texts are read in windows; None where they are cut.

    Args:
        settings: what the user gave.
        task: task of the training.
        max_length: longest input in tokens.

    Raises:
        UsageError: the task is not for windows, or the stride would pass over tokens.
    """
    if settings.long != "windows":
        return None
    if not isinstance(task, ClassificationTask):
        raise UsageError(f"--long windows is for labels and numbers of whole texts; leave it out for {task.name}")
    room = max_length - 2  # [CLS] and [SEP]
    if settings.stride is not None and settings.stride > room:
        raise UsageError(
            f"--stride is {settings.stride}, but an input of {max_length} tokens holds {room} of a text, so windows "
            f"would skip tokens; give {room} or less"
        )
    stride = settings.stride or max(max_length // 2, 1)
    return Windows(min(stride, max(room, 1)), settings.max_windows or MOST)
