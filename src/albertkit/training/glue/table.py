"""The table of GLUE: our row, what the commonest label scores, published rows; as JSON, Markdown and on a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from albertkit.datasets.glue import TASKS
from albertkit.io.files import write_json, write_text
from albertkit.training.glue.plan import Missing
from albertkit.training.glue.published import PUBLISHED
from albertkit.training.glue.results import MISMATCHED, TaskResult
from albertkit.training.glue.submission import Submission

if TYPE_CHECKING:
    from rich.console import Console

Scores = Mapping[str, Mapping[str, float]]
"""Task -> metric -> value on 0-100."""

SHOWN: Mapping[str, tuple[str, ...]] = {
    "cola": ("mcc",),
    "sst2": ("accuracy",),
    "mrpc": ("f1", "accuracy"),
    "stsb": ("pearson", "spearman"),
    "qqp": ("f1", "accuracy"),
    "mnli": ("accuracy", MISMATCHED),
    "qnli": ("accuracy",),
    "rte": ("accuracy",),
    "wnli": ("accuracy",),
}
"""The numbers of each column, in the benchmark's order."""
_WORDS = {"accuracy": "acc", "mcc": "mcc", "f1": "f1", "pearson": "pearson", "spearman": "spearman", MISMATCHED: "mm"}
ABSENT = "-"


@dataclass(frozen=True)
class GlueTable:
    """The outcome."""

    model: str
    results: tuple[TaskResult, ...]
    """Tasks with a score, in the order of the table."""
    missing: tuple[Missing, ...]
    """Tasks that were asked for and have none."""
    submission: Submission
    failed: tuple[str, ...] = ()
    """One sentence for each run that was begun and could not be finished."""
    notes: tuple[str, ...] = ()

    @property
    def scores(self) -> dict[str, dict[str, float]]:
        """Task -> metric -> the median over seeds."""
        return {result.task: result.metrics for result in self.results}

    @property
    def average(self) -> float | None:
        """The benchmark's average: the mean over the nine tasks of each one's mean number; None if one is missing."""
        scores = self.scores
        if any(metric not in scores.get(task, {}) for task, metrics in SHOWN.items() for metric in metrics):
            return None
        return sum(sum(scores[task][name] for name in SHOWN[task]) / len(SHOWN[task]) for task in SHOWN) / len(SHOWN)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            "model": self.model,
            "split": "dev",
            "tasks": [result.to_dict() for result in self.results],
            "missing": [{"task": entry.task, "name": entry.name, "reason": entry.reason} for entry in self.missing],
            "average": self.average,
            "published": [row.to_dict() for row in PUBLISHED],
            "submission": self.submission.to_dict(),
            "failed": list(self.failed),
            "notes": list(self.notes),
        }

    def write(self, out: Path) -> None:
        """Write table.json and table.md.

        Raises:
            WriteError: the system refused.
        """
        write_json(out / "table.json", self.to_dict())
        write_text(out / "table.md", self.markdown())

    def rows(self) -> list[list[str]]:
        """Return the table's rows, the head first: model, a cell a task, the average, where the numbers are from."""
        head = ["model", *(f"{TASKS[task].folder} {_heading(task)}" for task in SHOWN), "average", "source"]
        runs = max((len(result.runs) for result in self.results), default=0)
        source = "this run" if runs < 2 else f"this run, median of {runs} seeds"
        average = ABSENT if self.average is None else f"{self.average:.1f}"
        ours = [self.model, *_cells(self.scores), average, source]
        majority = {result.task: result.majority for result in self.results}
        rows = [head, ours, ["commonest label", *_cells(majority), ABSENT, "this run"]]
        rows += [[row.model, *_cells(row.scores), ABSENT, row.source] for row in PUBLISHED]
        return rows

    def sentences(self) -> list[str]:
        """Return the sentences that the numbers need."""
        said = [f"{entry.name} is missing: {entry.reason}." for entry in self.missing]
        if self.average is None:
            said.append("There is no average, since some of the nine tasks have no score.")
        for result in self.results:
            if len(result.runs) > 1:
                values = "; ".join(
                    f"{_WORDS.get(name, name)} {', '.join(f'{value:.1f}' for value in result.values[name])}"
                    for name in SHOWN[result.task]
                    if name in result.values
                )
                said.append(f"{result.name}, seeds 1 to {len(result.runs)}: {values}.")
        said += [f"{note}." for note in (*self.notes, *self.submission.notes)]
        if self.submission.path is None:
            said.append("There is no test split to predict, so no zip for the server.")
        elif self.submission.complete:
            said.append(f"For the server: {self.submission.path}.")
        else:
            said.append(
                f"{self.submission.path} is not valid for the GLUE server: {'; '.join(self.submission.problems)}."
            )
        return said

    def markdown(self) -> str:
        """Return the table and its sentences as Markdown."""
        head, *rows = self.rows()
        lines = [_line(head), _line(["---"] * len(head)), *(_line(row) for row in rows)]
        return "# GLUE, dev splits\n\n" + "\n".join(lines) + "\n\n" + "".join(f"- {s}\n" for s in self.sentences())

    def render(self, console: Console) -> None:
        """Print the table, a row for each task, so that it fits a terminal; then the sentences."""
        from rich import box
        from rich.table import Table
        from rich.text import Text

        _, *rows = self.rows()
        console.print("GLUE, dev splits", style="bold", markup=False)
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("task")
        table.add_column("metric")
        for row in rows:
            table.add_column(Text(row[0]), justify="right", overflow="fold")
        for number, task in enumerate(SHOWN, start=1):
            table.add_row(TASKS[task].folder, _heading(task), *(row[number] for row in rows))
        if self.average is not None:
            table.add_row("average", "", *(row[-2] for row in rows))
        console.print(table)
        for sentence in [f"{row.model}: {row.source}." for row in PUBLISHED] + self.sentences():
            console.print(sentence, markup=False, soft_wrap=True)


def _heading(task: str) -> str:
    return "m/mm" if task == "mnli" else "/".join(_WORDS[name] for name in SHOWN[task])


def _cells(scores: Scores) -> list[str]:
    return [_cell(scores.get(task, {}), SHOWN[task]) for task in SHOWN]


def _cell(values: Mapping[str, float], names: Sequence[str]) -> str:
    """One number, or several with a stroke between; a number that is not there is a dash, never filled."""
    if not any(name in values for name in names):
        return ABSENT
    return "/".join(f"{values[name]:.1f}" if name in values else ABSENT for name in names)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
