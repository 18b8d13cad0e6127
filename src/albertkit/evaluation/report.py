"""Report: scores of a run, their split, the selection criterion and the baselines; `report.json` and a table."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from albertkit.errors import RunError
from albertkit.evaluation.few_shot import FewShotChoice
from albertkit.evaluation.teacher_report import TeacherReport
from albertkit.evaluation.typed_json import from_json, to_json
from albertkit.evaluation.verdict import Verdict
from albertkit.io.files import read_json, write_json
from albertkit.scoring.baseline import Baseline
from albertkit.scoring.calibration import Calibration
from albertkit.scoring.intervals import Interval, says_nothing
from albertkit.scoring.mistakes import Mistake
from albertkit.scoring.score import Confusion

FILE_NAME = "report.json"
"""What the report is called in a run directory."""

EpochScores = Mapping[str, Mapping[str, float | None]]
"""One epoch: "train" and "validation", each `loss` and metrics by name; None where a number is not finite."""


@dataclass(frozen=True)
class ChosenBy:
    """What picked the best epoch."""

    split: str
    """The split, never the scored one of a data set that has a test split."""
    metric: str
    """The metric, or "loss"."""


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
    """Sentences to read together with the numbers."""
    environment: Mapping[str, Any] = field(default_factory=dict)
    """Versions, device, threads, precision."""
    command: Mapping[str, Any] = field(default_factory=dict)
    """Settings of the command, as given or by default."""
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    """Metric name -> 95 % interval of the value, where it is known."""
    mistakes: Sequence[Mistake] = ()
    """Examples of the scored split that went wrong, the worst first, at most 20."""

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

    @property
    def figures(self) -> dict[str, float]:
        """The metrics, as a tracker calls them.

        >>> Report("classification", "imdb", "albert-nano", {"accuracy": 90.0}, "test").figures
        {'report/accuracy': 90.0}
        """
        return {f"report/{name}": value for name, value in self.metrics.items() if value is not None}

    def to_dict(self) -> dict[str, Any]:
        """Return every field as valid JSON values; numbers that are not finite become None.

        >>> Report("classification", "imdb", "albert-nano", {"accuracy": float("nan")}, "test").to_dict()["metrics"]
        {'accuracy': None}
        """
        return {**to_json(self), "too_few_examples": self.too_few_examples}

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
            raise RunError(
                f"{path}: not found, so this is not the directory of a finished run; repeat its command with --resume"
            ) from error
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
        problems: list[str] = []
        if isinstance(values, Mapping):  # the intervals say it
            values = {name: value for name, value in values.items() if name != "too_few_examples"}
        report: Report | None = from_json(cls, values, problems=problems)
        if report is not None:
            problems += report._contradictions()
        if report is None or problems:
            raise RunError(f"{where} is not a report of albertkit: {'; '.join(problems[:20])}")
        return report

    def _contradictions(self) -> list[str]:
        found = []
        if self.best_epoch is not None and self.epochs and not 1 <= self.best_epoch <= len(self.epochs):
            found.append(f'"best_epoch" is {self.best_epoch}, but there are {len(self.epochs)} epochs')
        if self.confusion is not None:
            sizes = {len(self.confusion.matrix), *map(len, self.confusion.matrix)}
            if sizes != {len(self.confusion.labels)}:
                found.append('"confusion.matrix" is not a square with a row and a column for each label')
        return found
