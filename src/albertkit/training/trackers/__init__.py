"""Trackers: libraries that collect the curves of many runs. One protocol for all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from albertkit.registry import Registry


@dataclass(frozen=True)
class TrackedRun:
    """The run that a tracker is opened for."""

    folder: Path
    """The run directory; its name is the run's."""
    settings: Mapping[str, Any]
    """Everything that was asked for, with values that are JSON."""
    step: int
    """The last step whose outcome is kept, 0 for a new run."""
    key: str | None
    """What the tracker called this run before it was stopped; None for a new one."""


class Tracker(Protocol):
    """One run in the store of a library."""

    key: str | None
    """What the store calls the run, so that a resumed run continues there."""
    place: str
    """Where the run can be seen, for a sentence."""

    def log(self, values: Mapping[str, float], *, step: int) -> None:
        """Take the numbers of one event."""
        ...

    def finish(self, values: Mapping[str, float], files: Sequence[Path]) -> None:
        """Take the numbers and the files of the report."""
        ...

    def close(self, *, failed: bool) -> None:
        """Write what is left; `failed` says that the run did not reach its end."""
        ...


Open = Callable[[TrackedRun], Tracker]

TRACKERS: Registry[Callable[[], Open]] = Registry(
    "tracker",
    group="albertkit.trackers",
    table={
        "mlflow": "albertkit.training.trackers.mlflow_store:mlflow_tracker",
        "wandb": "albertkit.training.trackers.wandb_run:wandb_tracker",
        "tensorboard": "albertkit.training.trackers.tensorboard_files:tensorboard_tracker",
    },
)
"""Name -> imports the library (`MissingExtraError` where it is not installed) and returns what opens a run."""
