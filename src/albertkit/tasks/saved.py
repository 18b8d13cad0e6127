"""Settings of a task that belong to a trained model, such as a tuned threshold: fields that `task.json` keeps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import Field, fields, is_dataclass, replace
from typing import Any

from albertkit.tasks.task import Task

SAVED: Mapping[str, Any] = {"saved": True}
"""Metadata of a field that `task.json` keeps: `dataclasses.field(metadata=SAVED)`."""


def saved_as(write: Callable[[Any], Any], read: Callable[[Any], Any]) -> Mapping[str, Any]:
    """Return `SAVED` for a field whose value is not of JSON's kinds.

    Args:
        write: makes a JSON-ready value of it.
        read: the other way; raises UsageError for what cannot be one.
    """
    return {**SAVED, "write": write, "read": read}


def saved_settings(task: Task) -> dict[str, Any]:
    """Return the fields of a task that its model's `task.json` keeps; those that are None are left out.

    >>> from albertkit.tasks import TASKS
    >>> saved_settings(TASKS["question_answering_v2"]), saved_settings(TASKS["classification"])
    ({'null_threshold': 0.0}, {})
    """
    return {
        entry.name: entry.metadata["write"](value) if "write" in entry.metadata else value
        for entry in _saved(task)
        if (value := getattr(task, entry.name)) is not None
    }


def with_saved_settings(task: Task, settings: Mapping[str, Any]) -> Task:
    """Return the task with the settings of its model; other keys of `task.json` are not looked at.

    >>> from albertkit.tasks import TASKS
    >>> with_saved_settings(TASKS["question_answering_v2"], {"null_threshold": -1.5, "max_length": 384}).null_threshold
    -1.5

    Raises:
        UsageError: a value cannot be.
    """
    there = {
        entry.name: entry.metadata["read"](settings[entry.name]) if "read" in entry.metadata else settings[entry.name]
        for entry in _saved(task)
        if entry.name in settings
    }
    return replace(task, **there) if there else task  # type: ignore[type-var]


def _saved(task: Task) -> list[Field[Any]]:
    return [entry for entry in fields(task) if entry.metadata.get("saved")] if is_dataclass(task) else []
