"""DistillReport: what a distillation reached, written to report.json."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from albertkit.training.distillation.steps import DistillScores
from albertkit.training.token_report import TokenReport

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True, kw_only=True)
class DistillReport(TokenReport):
    """The figures of one run, on held-out texts."""

    scores: DistillScores
    teacher: str
    teacher_dimensions: int
    texts: int
    """Texts that were trained on."""
    held_out_texts: int
    """Texts that the scores are of."""
    data: Sequence[str]
    kind: str = "distillation"

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values; the scores are keys of their own."""
        values = super().to_dict()
        del values["scores"]
        return {**self.scores.to_dict(), **values}

    def _table(self) -> Table:
        from rich.table import Table

        scores = self.scores
        table = Table(title="distillation, held-out texts", title_justify="left")
        for column in ("vector", "cosine to the teacher's", "relation error"):
            table.add_column(column, justify="left" if column == "vector" else "right")
        table.add_row("mean", f"{scores.vector_cosine:.4f}", f"{scores.relation_error:.4f}")
        table.add_row("pooler", f"{scores.pooler_vector_cosine:.4f}", f"{scores.pooler_relation_error:.4f}")
        return table

    def _lines(self) -> list[str]:
        scores = self.scores
        heads = f"masked words {scores.mlm_accuracy or 0:.2f} %, sentence order {scores.sop_accuracy or 0:.2f} %"
        (figures,) = super()._lines()
        figures += f"; {self.texts:,} texts, {self.held_out_texts:,} held out"
        return [figures] if scores.mlm_accuracy is None else [heads, figures]
