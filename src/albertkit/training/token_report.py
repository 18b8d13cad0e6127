"""TokenReport: what the reports of pretraining and distillation have in common, and how such a run ends."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from albertkit.evaluation.drawing import svg
from albertkit.evaluation.pretraining_plots import (
    PANELS,
    panels_of,
    plot_pretraining,
    pretraining_figure,
    read_curves,
)
from albertkit.evaluation.report_cells import Table
from albertkit.evaluation.report_page import FILE_NAME as PAGE
from albertkit.evaluation.report_page import ending, shown, side_by_side
from albertkit.evaluation.report_table import print_line, print_table
from albertkit.io.files import write_json, write_text
from albertkit.io.html import Html, page, section, tag
from albertkit.training.environment import environment
from albertkit.training.run import Run
from albertkit.training.state import TokenState

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True, kw_only=True)
class TokenReport(ABC):
    """The figures of a run that counts tokens; a subclass has the scores, on held-out text."""

    tokens: int
    """Tokens trained on."""
    tokens_per_second: float
    """Of training, without scoring, saving and a teacher."""
    steps: int
    seconds: float
    """Of training, over all parts of a run that was stopped and continued."""
    model: str
    """Where the weights began."""
    evaluations: Sequence[dict[str, Any]]
    """Scores on the way: step, tokens, and the figures."""
    notes: Sequence[str] = ()
    environment: Mapping[str, Any] = field(default_factory=dict)
    command: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return asdict(self)

    @property
    def figures(self) -> dict[str, float]:
        """The scores, tokens and times."""
        return {f"report/{name}": value for name, value in self.to_dict().items() if isinstance(value, int | float)}

    def write(self, run: str | os.PathLike[str]) -> None:
        """Write `report.json` into the run directory.

        Raises:
            WriteError: the system refused.
        """
        write_json(Path(run) / "report.json", self.to_dict())

    def render(self, console: Console) -> None:
        """Print a table of the scores, what was trained, and notes."""
        print_table(self.table, self.title, console=console)
        for line in (*self.sentences, *(f"note: {note}" for note in self.notes)):
            print_line(line, console=console)

    @property
    @abstractmethod
    def title(self) -> str:
        """What was trained, and what the scores are of."""

    @property
    @abstractmethod
    def table(self) -> Table:
        """The scores."""

    @property
    def sentences(self) -> list[str]:
        """How much was trained, and how fast."""
        return [
            f"{self.tokens:,} tokens in {self.steps:,} steps, {self.seconds:,.0f} s, "
            f"{self.tokens_per_second:,.0f} tokens/s"
        ]


def shared_figures(state: TokenState[Any], run: Run) -> dict[str, Any]:
    """Return the fields of a `TokenReport` that state and run have."""
    return {
        "tokens": state.tokens,
        "tokens_per_second": round(state.tokens / max(state.seconds, 1e-9), 1),
        "steps": state.step,
        "seconds": round(state.seconds, 2),
        "evaluations": state.evaluations,
        "environment": {**environment(run.execution), **run.shares.to_dict()},
    }


def finish(report: TokenReport, run: Run, *, save: Callable[[Path], None], command: str) -> None:
    """Write the model, the curves, the page and the report.

    Args:
        report: report of the run.
        run: where it writes.
        save: writes the model into a folder.
        command: what repeats the run.

    Raises:
        WriteError: the system refused a file; what was written before stays.
    """
    path = run.folder.path
    save(path / "model")
    run.progress.report(f"model: {path / 'model'}")
    panels = panels_of(path) or PANELS
    curves = {path.name: read_curves(path, panels)}
    plot_pretraining(curves, panels, path=path / "plots" / "history.png")
    drawn = [svg(pretraining_figure(curves, [panel], columns=1), label=f"{panel[1]} by tokens") for panel in panels]
    write_text(path / PAGE, _page(report, drawn, name=path.name, command=command))
    run.complete(report)


def _page(report: TokenReport, drawn: Sequence[Html], *, name: str, command: str) -> str:
    return page(
        name,
        tag("p", f"{report.model}: {report.title}"),
        section("Result", shown(report.table, report.title), *(tag("p", each) for each in report.sentences)),
        section("Training", side_by_side(*drawn)),
        *ending(report.notes, report.command, report.environment, command=command),
    )
