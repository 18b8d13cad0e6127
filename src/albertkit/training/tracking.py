"""Tracking: sends the events of a run to the trackers that were asked for; one that fails never stops a training."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from albertkit.io.files import WriteError, read_json, write_json
from albertkit.io.progress import Progress, Silent
from albertkit.training.trackers import TRACKERS, Open, TrackedRun, Tracker

FILE_NAME = "tracking.json"
"""In the run directory: tracker -> what it calls the run."""


class Tracking:
    """The trackers of one run; a context that closes them.

    Args:
        names: of `TRACKERS`.
        progress: gets the places and the failures.

    Raises:
        UsageError: an unknown tracker.
        MissingExtraError: the library of one is not installed.
    """

    def __init__(self, names: Sequence[str] = (), progress: Progress | None = None) -> None:
        self._progress = progress or Silent()
        self._openers: dict[str, Open] = {name: TRACKERS[name]() for name in names}
        self._trackers: dict[str, Tracker] = {}

    def __enter__(self) -> Tracking:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the trackers."""
        self._each("close", lambda tracker: tracker.close(failed=kind is not None))
        self._trackers.clear()

    def begin(self, folder: Path, settings: Mapping[str, Any], *, step: int) -> None:
        """Open a run in each store, or continue the one that was stopped.

        Args:
            folder: the run directory.
            settings: of the run.
            step: the last step whose outcome is kept, 0 for a new run.

        Raises:
            WriteError: a store cannot be used; nothing was trained yet.
        """
        keys = _keys(folder) if self._openers else {}
        for name, opened in self._openers.items():
            try:
                tracker = self._trackers[name] = opened(TrackedRun(folder, settings, step, keys.get(name)))
            except Exception as error:  # whatever a store's libraries raise
                raise WriteError(
                    f"--track {name}: the store cannot be used ({_first_line(error)}); correct its address, or leave "
                    "--track out: metrics.jsonl and report.json hold the same numbers"
                ) from error
            self._progress.report(f"tracked by {name}: {tracker.place}")

    def keep(self, folder: Path) -> None:
        """Record what the stores call the run, so that it continues there.

        Raises:
            WriteError: the system refused.
        """
        keys = {name: tracker.key for name, tracker in self._trackers.items() if tracker.key is not None}
        if keys:
            write_json(folder / FILE_NAME, {**_keys(folder), **keys})

    def log(self, event: Mapping[str, Any]) -> None:
        """Send the numbers of one event."""
        if self._trackers:
            values = dict(numbers(event))
            self._each("log", lambda tracker: tracker.log(values, step=event["step"]))

    def finish(self, values: Mapping[str, float], files: Sequence[Path]) -> None:
        """Send the numbers and the files of the report."""
        self._each("finish", lambda tracker: tracker.finish(values, files))

    def _each(self, what: str, act: Callable[[Tracker], None]) -> None:
        for name, tracker in list(self._trackers.items()):
            try:
                act(tracker)
            except Exception as error:  # whatever a store's libraries raise; the training is worth more
                del self._trackers[name]
                when = {"log": "and tracks no longer", "finish": "and lacks the report", "close": "at the end"}[what]
                self._progress.report(
                    f"--track {name} failed {when} ({_first_line(error)}); metrics.jsonl and report.json have "
                    "everything",
                    kind="warning",
                )


def numbers(event: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Yield the names and numbers of an event; its kind and its other words come before each name.

    >>> dict(numbers({"event": "epoch", "step": 9, "epoch": 1, "train": {"loss": 0.5}}))
    {'epoch/train/loss': 0.5, 'epoch/epoch': 1}
    >>> dict(numbers({"event": "fold", "step": 1, "candidate": "frozen_mean", "accuracy": 80.0}))
    {'fold/frozen_mean/accuracy': 80.0}
    """
    prefix = "/".join(value for value in event.values() if isinstance(value, str))
    for name, value in event.items():
        if isinstance(value, Mapping):
            yield from ((f"{prefix}/{name}/{inner}", number) for inner, number in _plain(value))
    yield from ((f"{prefix}/{name}", number) for name, number in _plain(event) if name != "step")


def _plain(values: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    return (
        (name, value)
        for name, value in values.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    )


def _keys(folder: Path) -> dict[str, str]:
    path = folder / FILE_NAME
    try:
        return {str(name): str(key) for name, key in read_json(path).items()}
    except (OSError, ValueError, AttributeError):  # a new run, or a file that somebody wrote: the store gets a new run
        return {}


def _first_line(error: Exception) -> str:
    return next((line.strip()[:300] for line in str(error).splitlines() if line.strip()), type(error).__name__)
