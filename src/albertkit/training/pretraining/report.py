"""PretrainReport: what a pretraining reached, written to report.json."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from albertkit.io.files import write_json

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True)
class PretrainReport:
    """The figures of one run; losses in nats, accuracies on 0-100, all on held-out documents."""

    mlm_loss: float
    mlm_accuracy: float
    sop_loss: float
    sop_accuracy: float
    tokens: int
    """Tokens trained on."""
    tokens_per_second: float
    """Of training, without scoring and saving."""
    steps: int
    seconds: float
    """Of training, over all parts of a run that was stopped and went on."""
    data: str
    model: str
    """Where the weights began."""
    held_out_tokens: int
    """Tokens that the scores are of; 0: nothing was held out, the scores are of training text."""
    evaluations: Sequence[dict[str, Any]]
    """Scores on the way: step, tokens, and the four figures."""
    returns: int
    """How often the loss ran away and the run went back."""
    notes: Sequence[str] = ()
    environment: dict[str, Any] = field(default_factory=dict)
    command: dict[str, Any] = field(default_factory=dict)
    kind: str = "pretraining"

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
        """Print a table."""
        from rich.table import Table

        text = "held-out text" if self.held_out_tokens else "training text (nothing was held out)"
        table = Table(title=f"pretraining, {text}", title_justify="left")
        for column in ("", "loss", "accuracy"):
            table.add_column(column, justify="right" if column else "left")
        table.add_row("masked pieces", f"{self.mlm_loss:.3f}", f"{self.mlm_accuracy:.2f} %")
        table.add_row("sentence order", f"{self.sop_loss:.3f}", f"{self.sop_accuracy:.2f} %")
        console.print(table)
        console.print(
            f"{self.tokens:,} tokens in {self.steps:,} steps, {self.seconds:,.0f} s, "
            f"{self.tokens_per_second:,.0f} tokens/s"
        )
        for note in self.notes:
            console.print(f"note: {note}", markup=False)
