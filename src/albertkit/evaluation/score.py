"""Compute official scores for any prediction file, as the benchmark's own script would."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from albertkit.datasets.dataset import Dataset, DataSource, require_labelled
from albertkit.scoring.metrics import metric_title
from albertkit.scoring.score import Score, ScoreOptions
from albertkit.tasks import TASKS
from albertkit.tasks.task import Task

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True)
class PredictionScore:
    """The scores of a file of predictions."""

    data: str
    """Name of the data set."""
    split: str
    task: str
    examples: int
    """Number of examples in the split."""
    score: Score
    """With notes on what was left out."""

    @property
    def metrics(self) -> Mapping[str, float]:
        """Name -> value on 0-100 (correlations: -100 to 100), the main one first."""
        return self.score.metrics

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values; parts, thresholds and notes only where there are some."""
        values: dict[str, Any] = {
            "task": self.task,
            "data": self.data,
            "split": self.split,
            "examples": self.examples,
            "metrics": self.metrics,
        }
        found = self.score
        more = {"parts": found.parts, "thresholds": found.thresholds, "notes": list(found.notes)}
        return {**values, **{name: value for name, value in more.items() if value}}

    def render(self, console: Console) -> None:
        """Print the scores as a table, a row for the whole split and one for each part."""
        from rich import box
        from rich.table import Table
        from rich.text import Text

        console.print(f"{self.data}, {self.split}", style="bold", markup=False, highlight=False)
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("part")
        table.add_column("examples", justify="right")
        for name in self.metrics:
            table.add_column(Text(metric_title(name)), justify="right")
        for part, values in {"all": {"examples": self.examples, **self.metrics}, **self.score.parts}.items():
            numbers = [f"{values[name]:.2f}" if name in values else "" for name in self.metrics]
            table.add_row(Text(part), f"{int(values['examples']):,}", *numbers)
        console.print(table)
        for name, threshold in self.score.thresholds.items():
            console.print(f"{name}: {threshold:g}", markup=False, highlight=False)
        for note in self.score.notes:
            console.print(f"Note: {note}", markup=False, highlight=False)


def score_file(
    dataset: Dataset, path: str | os.PathLike[str], *, options: ScoreOptions | None = None
) -> PredictionScore:
    """Score a file of predictions for a split with the data set's official metrics.

    Args:
        dataset: the split, with labels.
        path: the predictions; docs/scoring.md has the forms for each task.
        options: columns, null odds, scheme; all as usual if None.

    Raises:
        UsageError: an option does not go with the task, or the task has no scores of this kind.
        DataError: the file cannot be used, or its rows do not fit the split; the sentence names file and row or id.
        MissingExtraError: Parquet without pyarrow.
    """
    chosen = options or ScoreOptions()
    task: Task = TASKS[dataset.task]
    chosen.require_known(task.score_options, where=f"{dataset.name} is a {dataset.task} data set")
    require_labelled(dataset)
    found = task.score_file(dataset, Path(path), chosen)
    if dataset.skipped:
        left_out, first = len(dataset.skipped), dataset.skipped[0]
        note = f"{left_out} rows of the split cannot be used and are not scored (the first: {first})"
        found = replace(found, notes=(note, *found.notes))
    return PredictionScore(dataset.name, dataset.split, dataset.task, len(dataset), found)


def default_split(source: DataSource, name: str | None) -> Dataset:
    """Return the named split; without a name `dev`, else the only split there is, else the last that is labelled.

    Raises:
        UsageError: there is no such split.
    """
    if name is not None:
        return source.split(name)
    if "dev" in source.splits or len(source.splits) == 1:
        return source.split("dev" if "dev" in source.splits else source.splits[0])
    for candidate in reversed(source.splits):
        dataset = source.split(candidate)
        if all(example.is_labelled for example in dataset.examples):
            return dataset
    return source.split(source.splits[-1])
