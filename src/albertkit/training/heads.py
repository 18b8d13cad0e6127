"""The task and the head of a model that is trained for one."""

from __future__ import annotations

from torch import nn

from albertkit.models.loaded import Model
from albertkit.tasks.task import Task


def task_of(model: Model) -> Task:
    """Return what a model with a task head is for."""
    assert model.task is not None
    return model.task


def head_of(model: Model) -> nn.Module:
    """Return the task head."""
    return model.network.heads[task_of(model).head]
