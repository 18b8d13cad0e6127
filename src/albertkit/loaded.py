"""Model: a network with what is needed to use it on text, and what `task.json` says of it. Without torch."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from albertkit.errors import CheckpointError, UsageError
from albertkit.tasks import TASKS
from albertkit.tasks.poolings import POOLINGS, check_pooling
from albertkit.tasks.saved import saved_settings, with_saved_settings
from albertkit.tasks.task import Task
from albertkit.text.any_tokenizer import AnyTokenizer

if TYPE_CHECKING:
    from albertkit.tasks.network import Network


class FreshWeightsWarning(UserWarning):
    """Some weights were not read from anywhere: they are random and want training."""


@dataclass(frozen=True)
class HeadSpec:
    """Shape of a classification head, and what it reads.

    Raises:
        UsageError: an unknown pooling.
    """

    hidden: tuple[int, ...] = ()
    """Widths of the blocks before the last linear map; none is a linear head."""
    norm: str = "none"
    """`batch` or `none`."""
    pooling: str = "pooler"
    """What it reads of each sequence: `pooler`, `cls` or `mean`, as `albertkit.tasks.pooling` says."""

    def __post_init__(self) -> None:
        check_pooling(self.pooling)


@dataclass
class Model:
    """A network with what is needed to use it on text."""

    network: Network
    tokenizer: AnyTokenizer
    task: Task | None = None
    """What its task head does; None for a bare or pretrained encoder."""
    labels: tuple[str, ...] = ()
    """Names of the task head's outputs."""
    head: HeadSpec = field(default_factory=HeadSpec)
    max_length: int = 512
    """Longest input in tokens that it was trained on."""
    source: str = ""
    """Name or path that it was loaded from."""
    notes: tuple[str, ...] = ()
    """What the loader has to say: fresh weights, files passed over."""


def announce(notes: Sequence[str]) -> None:
    """Warn of each note, once a note."""
    for note in notes:
        warnings.warn(note, FreshWeightsWarning, stacklevel=3)


def task_values(model: Model) -> dict[str, Any] | None:
    """Return what `task.json` keeps of a model with a task; None of one without."""
    if model.task is None:
        return None
    head = {"hidden": list(model.head.hidden), "norm": model.head.norm, "pooling": model.head.pooling}
    return {
        "task": model.task.name,
        "labels": list(model.labels),
        "head": {"name": model.task.head, **head},
        "max_length": model.max_length,
        **saved_settings(model.task),
    }


def task_from(values: Mapping[str, Any], *, where: str) -> tuple[Task, HeadSpec]:
    """Return the task and the head that a `task.json` names.

    Args:
        values: its content, with the key "task".
        where: the model, for messages.

    Raises:
        CheckpointError: a task, pooling or setting that is not known here.
    """
    head = values.get("head") or {}
    pooling = str(head.get("pooling", "pooler"))
    if values["task"] not in TASKS:
        raise CheckpointError(
            f'{where}: task.json names the task "{values["task"]}", which is not known here '
            f"({', '.join(sorted(TASKS))}); install the package that has it"
        )
    if pooling not in POOLINGS:
        raise CheckpointError(
            f'{where}: task.json names the pooling "{pooling}", which is not known here '
            f"({', '.join(POOLINGS)}); pip install --upgrade albertkit, or correct the file"
        )
    spec = HeadSpec(tuple(head.get("hidden", ())), head.get("norm", "none"), pooling)
    try:
        return with_saved_settings(TASKS[values["task"]], values), spec
    except UsageError as error:
        raise CheckpointError(f"{where}: task.json: {error}") from error
