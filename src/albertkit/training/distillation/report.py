"""DistillReport: what a distillation reached, written to report.json."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from albertkit.io.files import write_json
from albertkit.training.distillation.steps import DistillScores

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True)
class DistillReport:
    """The figures of one run, on held-out texts."""

    scores: DistillScores
    tokens: int
    """Tokens trained on."""
    tokens_per_second: float
    """Of training, without the teacher, scoring and saving."""
    steps: int
    seconds: float
    """Of training, over all parts of a run that was stopped and continued."""
    teacher: str
    teacher_dimensions: int
    texts: int
    """Texts that were trained on."""
    held_out_texts: int
    """Texts that the scores are of."""
    data: Sequence[str]
    model: str
    """Where the student began."""
    evaluations: Sequence[dict[str, Any]]
    """Scores on the way."""
    notes: Sequence[str] = ()
    environment: dict[str, Any] = field(default_factory=dict)
    command: dict[str, Any] = field(default_factory=dict)
    kind: str = "distillation"

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values; the scores are keys of their own."""
        values = asdict(self)
        del values["scores"]
        return {**self.scores.to_dict(), **values}

    def write(self, run: str | os.PathLike[str]) -> None:
        """Write `report.json` into the run directory.

        Raises:
            WriteError: the system refused.
        """
        write_json(Path(run) / "report.json", self.to_dict())

    def render(self, console: Console) -> None:
        """Print a table."""
        from rich.table import Table

        scores = self.scores
        table = Table(title="distillation, held-out texts", title_justify="left")
        for column in ("vector", "cosine to the teacher's", "relation error"):
            table.add_column(column, justify="left" if column == "vector" else "right")
        table.add_row("mean", f"{scores.vector_cosine:.4f}", f"{scores.relation_error:.4f}")
        table.add_row("pooler", f"{scores.pooler_vector_cosine:.4f}", f"{scores.pooler_relation_error:.4f}")
        console.print(table)
        if scores.mlm_accuracy is not None:
            console.print(f"masked words {scores.mlm_accuracy:.2f} %, sentence order {scores.sop_accuracy or 0:.2f} %")
        console.print(
            f"{self.tokens:,} tokens in {self.steps:,} steps, {self.seconds:,.0f} s, "
            f"{self.tokens_per_second:,.0f} tokens/s; {self.texts:,} texts, {self.held_out_texts:,} held out"
        )
        for note in self.notes:
            console.print(f"note: {note}", markup=False)
