"""Run: the device of a training, the state that it keeps in order to resume, and its progress reports."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from albertkit.evaluation.report import FILE_NAME as REPORT
from albertkit.hardware.device import Execution
from albertkit.io.progress import Progress, Silent
from albertkit.training.run_folder import InMemory, RunFolder
from albertkit.training.shares import Shares
from albertkit.training.state import State
from albertkit.training.tracking import Tracking

AnyStep = TypeVar("AnyStep")


class RunReport(Protocol):
    """The report of any training."""

    def write(self, folder: Path, /) -> Any:
        """Write `report.json`."""
        ...

    @property
    def figures(self) -> Mapping[str, float]:
        """Its scores by name."""
        ...


@dataclass(frozen=True)
class Run:
    """What every training shares; the loops yield their steps through `follow`."""

    execution: Execution
    folder: RunFolder = field(default_factory=InMemory)
    """Where settings, events and checkpoints go."""
    progress: Progress = field(default_factory=Silent)
    started: float = field(default_factory=time.perf_counter)
    tracking: Tracking = field(default_factory=Tracking)
    """What else gets the events."""
    shares: Shares = field(default_factory=Shares)
    """The processes that train together; how many workers each has is chosen when the steps are known."""

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self.started

    def note(self, notes: Iterable[str]) -> None:
        """Report facts that the run's report keeps too."""
        for note in notes:
            self.progress.report(note, kind="note")

    def begin(self, settings: Mapping[str, Any], *, step: int) -> None:
        """Open the trackers, then the files, as `RunFolder.begin`.

        Raises:
            RunError: a line of the events is damaged.
            WriteError: a store or the system refused.
        """
        self.tracking.begin(self.folder.path, settings, step=step)
        self.folder.begin(settings, step=step)
        self.tracking.keep(self.folder.path)

    def log(self, event: Mapping[str, Any]) -> None:
        """Write one event and send it to the trackers.

        Raises:
            WriteError: the system refused the file.
        """
        self.folder.log(event)
        self.tracking.log(event)

    def complete(self, report: RunReport) -> None:
        """Write the report, whose presence says that the run is complete; trackers get it, too.

        Raises:
            WriteError: the system refused.
        """
        report.write(self.folder.path)
        plots = sorted((self.folder.path / "plots").glob("*.png"))
        self.tracking.finish(report.figures, [self.folder.path / REPORT, *plots])

    def follow(
        self,
        steps: Iterable[AnyStep],
        state: State[AnyStep],
        *,
        what: str,
        total: int,
        save_seconds: float,
        event: Callable[[AnyStep], dict[str, Any]],
        info: Callable[[AnyStep], str],
    ) -> Iterator[AnyStep]:
        """Yield the steps of a loop; count and log each of them before, and save the state where it is time after.

        The caller scores and keeps models between two steps; `state.stopped` ends the training early.

        Args:
            steps: makes each step when asked for it.
            state: what the steps change.
            what: name of the bar.
            total: steps of the whole run.
            save_seconds: save a checkpoint at least this often; the last step is always saved.
            event: a step that was counted -> its line of `metrics.jsonl`.
            info: a step -> what the bar shows at its end.

        Raises:
            WriteError: the system refused a file.
        """
        if state.step:
            self.progress.report(f"continuing after step {state.step:,} of {total:,}")
        with self.progress.bar(what, total=total) as advance:
            advance(state.step)
            if state.stopped:
                return
            for step in steps:
                state.count(step)
                self.log(event(step))
                advance(1, info=info(step))
                yield step
                if state.step == total or state.seconds_since_save >= save_seconds:
                    state.save(self.folder)
                if state.stopped:
                    return
