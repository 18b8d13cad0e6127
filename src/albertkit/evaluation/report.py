"""Report: what a run scored, on which split, chosen by what, beside which baselines; `report.json` and a table."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from albertkit.errors import RunError
from albertkit.evaluation.baseline import Baseline
from albertkit.evaluation.calibration import Calibration
from albertkit.evaluation.few_shot import FewShotChoice
from albertkit.evaluation.intervals import Interval, says_nothing
from albertkit.evaluation.report_checks import report_problems
from albertkit.evaluation.teacher_report import Cost, TeacherReport
from albertkit.evaluation.verdict import Verdict
from albertkit.io.files import read_json, write_json

if TYPE_CHECKING:
    from rich.console import Console

FILE_NAME = "report.json"
"""What the report is called in a run directory."""

EpochScores = Mapping[str, Mapping[str, Any]]
"""One epoch: "train" and "validation", each `loss` and metrics by name; None where a number is not finite."""


@dataclass(frozen=True)
class ChosenBy:
    """What picked the best epoch."""

    split: str
    """The split, never the scored one of a data set that has a test split."""
    metric: str
    """The metric, or "loss"."""


@dataclass(frozen=True)
class Confusion:
    """Counts of a classification by true and predicted label."""

    labels: tuple[str, ...]
    """Names of the labels, in order of their indices."""
    matrix: tuple[tuple[int, ...], ...]
    """A row for each true label, a column for each predicted one."""


@dataclass(frozen=True)
class Report:
    """The outcome of a run, or of an evaluation (which has no epochs)."""

    task: str
    """Name of the task."""
    data: str
    """Name or path of the data set."""
    model: str
    """Name or path of the model that the run started from."""
    metrics: Mapping[str, float | None]
    """Metric name -> value on 0-100 on the scored split, the main metric first."""
    split: str
    """The split that scored."""
    best_epoch: int | None = None
    """The epoch whose weights were kept and scored, counted from 1."""
    epochs: Sequence[EpochScores] = ()
    """Scores of each epoch, the first epoch first."""
    seconds: float | None = None
    """Wall-clock seconds of the whole run."""
    examples: int | None = None
    """Number of examples of the scored split."""
    chosen_by: ChosenBy | None = None
    """What picked the best epoch; None where nothing was picked."""
    examples_by_split: Mapping[str, int] = field(default_factory=dict)
    """Split -> number of examples used."""
    skipped: Mapping[str, int] = field(default_factory=dict)
    """Split -> number of rows left out."""
    teacher: TeacherReport | None = None
    """The teacher that the model learned from, and what both take; None without one."""
    confusion: Confusion | None = None
    """Counts on the scored split; None where the task has none."""
    calibration: Calibration | None = None
    """Reliability of the probabilities on the scored split; None where the task has none."""
    temperature: float | None = None
    """What the model's logits are divided by, fitted on the validation split; None where nothing was fitted."""
    calibration_before: Calibration | None = None
    """Reliability without the temperature, on the scored split; None where there is no temperature."""
    baselines: Sequence[Baseline] = ()
    """What simple methods score on the same split."""
    verdict: Verdict | None = None
    """Whether the score beats them, and what to try next; None where nothing was trained."""
    few_shot: FewShotChoice | None = None
    """What few-shot training tried and chose; None of any other training."""
    notes: Sequence[str] = ()
    """Sentences that belong beside the numbers."""
    environment: Mapping[str, Any] = field(default_factory=dict)
    """Versions, device, threads, precision."""
    command: Mapping[str, Any] = field(default_factory=dict)
    """Settings of the command, as given or by default."""
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    """Metric name -> 95 % interval of the value, where it is known."""

    @property
    def main_metric(self) -> str | None:
        """Name of the first metric: what curves and comparisons show.

        >>> Report("classification", "imdb", "albert-nano", {"accuracy": 90.0, "f1": 89.0}, "test").main_metric
        'accuracy'
        """
        return next(iter(self.metrics), None)

    @property
    def too_few_examples(self) -> bool:
        """Whether the scored split is so small that the main metric says nothing (`intervals.WIDEST`).

        >>> report = Report("classification", "a", "m", {"accuracy": 67.0}, "dev", intervals={"accuracy": (21.0, 94.0)})
        >>> report.too_few_examples
        True
        """
        return self.main_metric is not None and says_nothing(self.intervals.get(self.main_metric))

    def to_dict(self) -> dict[str, Any]:
        """Return every field as valid JSON values; numbers that are not finite become None.

        >>> Report("classification", "imdb", "albert-nano", {"accuracy": float("nan")}, "test").to_dict()["metrics"]
        {'accuracy': None}
        """
        values = {entry.name: _json_value(getattr(self, entry.name)) for entry in fields(self)}
        return {**values, "too_few_examples": self.too_few_examples}

    def write(self, folder: str | os.PathLike[str]) -> Path:
        """Write `report.json` into a run directory atomically and return its path.

        Raises:
            WriteError: the system refused.
        """
        path = Path(folder) / FILE_NAME
        write_json(path, self.to_dict())
        return path

    @classmethod
    def read(cls, folder: str | os.PathLike[str]) -> Report:
        """Read the `report.json` of a run directory.

        Raises:
            RunError: there is none, it is no JSON, or a key is missing, unknown or of the wrong kind.
        """
        path = Path(folder) / FILE_NAME
        try:
            values = read_json(path)
        except FileNotFoundError as error:
            raise RunError(f"{path}: not found; a finished run directory holds one") from error
        except (OSError, ValueError) as error:
            raise RunError(f"{path}: cannot be read as JSON ({error}); run the training or evaluation again") from error
        return cls.from_dict(values, where=str(path))

    @classmethod
    def from_dict(cls, values: Any, *, where: str = "report") -> Report:
        """Build from what `to_dict` gave.

        Args:
            values: the mapping.
            where: what an error message calls the source.

        Raises:
            RunError: a key is missing, unknown or of the wrong kind; all of them in one sentence.
        """
        if problems := report_problems(values):
            raise RunError(f"{where} is not a report of albertkit: {'; '.join(problems)}")
        changed = {name: value for name, value in values.items() if name != "too_few_examples"}  # the intervals say it
        changed["intervals"] = {name: (low, high) for name, (low, high) in values.get("intervals", {}).items()}
        changed["baselines"] = tuple(Baseline.from_dict(entry) for entry in values.get("baselines", ()))
        if values.get("chosen_by") is not None:
            changed["chosen_by"] = ChosenBy(**values["chosen_by"])
        if values.get("teacher") is not None:
            changed["teacher"] = TeacherReport.from_dict(values["teacher"])
        if values.get("confusion") is not None:
            rows = tuple(tuple(row) for row in values["confusion"]["matrix"])
            changed["confusion"] = Confusion(labels=tuple(values["confusion"]["labels"]), matrix=rows)
        if values.get("verdict") is not None:
            changed["verdict"] = Verdict.from_dict(values["verdict"])
        for name in ("calibration", "calibration_before"):
            if values.get(name) is not None:
                changed[name] = Calibration.from_dict(values[name])
        if values.get("few_shot") is not None:
            changed["few_shot"] = FewShotChoice.from_dict(values["few_shot"])
        return cls(**changed)

    def render(self, console: Console) -> None:
        """Print the report for people: scores beside baselines, epochs, confusion matrix, notes, verdict."""
        from albertkit.evaluation.report_table import render

        render(self, console=console)


def _json_value(value: Any) -> Any:
    """Return `value` as JSON knows it: plain numbers, None for NaN and infinities, lists, texts for paths."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):  # NumPy's float64 too
        return float(value) if math.isfinite(value) else None
    if isinstance(value, (np.generic, np.ndarray)):
        return _json_value(value.tolist())
    if isinstance(value, (Baseline, Calibration, Verdict, FewShotChoice)):
        return _json_value(value.to_dict())
    if isinstance(value, (ChosenBy, Confusion, TeacherReport, Cost)):
        return {entry.name: _json_value(getattr(value, entry.name)) for entry in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _json_value(entry) for key, entry in value.items()}
    if isinstance(value, (Sequence, set, frozenset)):
        return [_json_value(entry) for entry in (sorted(value) if isinstance(value, (set, frozenset)) else value)]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise TypeError(f"a report cannot hold a {type(value).__name__} ({value!r})")
