"""TokenReport: what the reports of pretraining and distillation have in common, and how such a run ends."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from albertkit.evaluation.pretraining_plots import PANELS, panels_of, plot_pretraining, read_curves
from albertkit.io.files import write_json
from albertkit.training.environment import environment
from albertkit.training.run import Run
from albertkit.training.state import TokenState

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


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

    def write(self, run: str | os.PathLike[str]) -> None:
        """Write `report.json` into the run directory.

        Raises:
            WriteError: the system refused.
        """
        write_json(Path(run) / "report.json", self.to_dict())

    def render(self, console: Console) -> None:
        """Print a table of the scores, what was trained, and notes."""
        console.print(self._table())
        for line in self._lines():
            console.print(line)
        for note in self.notes:
            console.print(f"note: {note}", markup=False)

    @abstractmethod
    def _table(self) -> Table: ...

    def _lines(self) -> list[str]:
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


def finish(report: TokenReport, run: Run, *, save: Callable[[Path], None]) -> None:
    """Write the model, the curves and the report.

    Args:
        report: report of the run.
        run: where it writes.
        save: writes the model into a folder.

    Raises:
        WriteError: the system refused a file; what was written before stays.
    """
    path = run.folder.path
    save(path / "model")
    run.progress.report(f"model: {path / 'model'}")
    panels = panels_of(path) or PANELS
    plot_pretraining({path.name: read_curves(path, panels)}, panels, path=path / "plots" / "history.png")
    report.write(path)  # last: its presence says that the run is complete
