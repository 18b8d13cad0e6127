"""Run: the device of a training, the state that it keeps in order to resume, and its progress reports."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from albertkit.hardware.device import Execution
from albertkit.io.progress import Progress, Silent
from albertkit.training.run_folder import InMemory, RunFolder
from albertkit.training.shares import Shares
from albertkit.training.state import State

AnyStep = TypeVar("AnyStep")


@dataclass(frozen=True)
class Run:
    """What every training shares; the loops yield their steps through `follow`."""

    execution: Execution
    folder: RunFolder = field(default_factory=InMemory)
    """Where settings, events and checkpoints go."""
    progress: Progress = field(default_factory=Silent)
    started: float = field(default_factory=time.perf_counter)
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
                self.folder.log(event(step))
                advance(1, info=info(step))
                yield step
                if state.step == total or state.seconds_since_save >= save_seconds:
                    state.save(self.folder)
                if state.stopped:
                    return
