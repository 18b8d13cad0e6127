"""Aggregate the runs of one task: medians over seeds, every value, and the seed that predicts the test split."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from albertkit.datasets.glue import TASKS
from albertkit.errors import RunError
from albertkit.evaluation.report import Report
from albertkit.training.glue.plan import PlannedRun

MISMATCHED = "accuracy_mismatched"
"""MNLI's second number."""
MISMATCHED_FOLDER = "dev_mismatched"
"""Where its report is, inside a run directory of MNLI."""


@dataclass(frozen=True)
class FinishedRun:
    """One run that is complete."""

    run: PlannedRun
    report: Report
    metrics: Mapping[str, float]
    """Metric -> value on dev; MNLI's mismatched accuracy too, where its file is there."""


@dataclass(frozen=True)
class TaskResult:
    """All runs of one task."""

    task: str
    runs: tuple[FinishedRun, ...]
    """By seed."""

    @property
    def name(self) -> str:
        """The task as the benchmark spells it."""
        return TASKS[self.task].folder

    @property
    def values(self) -> dict[str, list[float]]:
        """Metric -> the value of each seed."""
        return {name: [run.metrics[name] for run in self.runs] for name in self.runs[0].metrics}

    @property
    def metrics(self) -> dict[str, float]:
        """Metric -> the median over seeds."""
        return {name: statistics.median(values) for name, values in self.values.items()}

    @property
    def best(self) -> FinishedRun:
        """The run with the best main metric on dev; of equals the first."""
        main = TASKS[self.task].metrics[0]
        return max(self.runs, key=lambda run: run.metrics[main])

    @property
    def majority(self) -> dict[str, float]:
        """What the commonest label (the mean) scores."""
        for baseline in self.runs[0].report.baselines:
            if baseline.name == "majority":
                return {name: value for name, value in baseline.metrics.items() if value is not None}
        return {}

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        best = self.best
        return {
            "task": self.task,
            "name": self.name,
            "metrics": self.metrics,
            "values": self.values,
            "seeds": [run.run.seed for run in self.runs],
            "best_seed": best.run.seed,
            "best_epochs": [run.report.best_epoch for run in self.runs],
            "started_from": [run.run.settings.model for run in self.runs],
            "examples": best.report.examples,
            "majority": self.majority,
            "seconds": sum(run.report.seconds or 0.0 for run in self.runs),
            "folder": str(best.run.folder),
        }


def read_finished(run: PlannedRun) -> FinishedRun:
    """Read a run that is complete.

    Raises:
        RunError: a report cannot be read, it belongs to another start, or a score is no number.
    """
    report = Report.read(run.folder)
    if report.model != run.settings.model:
        raise RunError(
            f"{run.folder}: this run started from {report.model} and would now start from {run.settings.model}; "
            "move it away to run it again"
        )
    metrics = _numbers(report, run)
    mismatched = run.folder / MISMATCHED_FOLDER
    if (mismatched / "report.json").is_file():
        metrics[MISMATCHED] = _numbers(Report.read(mismatched), run)["accuracy"]
    return FinishedRun(run, report, metrics)


def _numbers(report: Report, run: PlannedRun) -> dict[str, float]:
    found = {name: math.nan if value is None else float(value) for name, value in report.metrics.items()}
    wrong = [name for name, value in found.items() if not math.isfinite(value)]
    if wrong:
        raise RunError(f"{run.folder}: the report's {wrong[0]} is not a number; move the run away to run it again")
    return found


def by_task(finished: Sequence[FinishedRun]) -> tuple[TaskResult, ...]:
    """Group runs by task, in the order of the table; metrics that not every seed has are left out."""
    results = []
    for task in TASKS:
        runs = sorted((run for run in finished if run.run.task == task), key=lambda run: run.run.seed)
        if runs:
            shared = [name for name in runs[0].metrics if all(name in run.metrics for run in runs)]
            runs = [FinishedRun(run.run, run.report, {name: run.metrics[name] for name in shared}) for run in runs]
            results.append(TaskResult(task, tuple(runs)))
    return tuple(results)
