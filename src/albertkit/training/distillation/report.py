"""DistillReport: what a distillation reached, written to report.json."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from albertkit.evaluation.report_cells import Table
from albertkit.training.distillation.steps import DistillScores
from albertkit.training.token_report import TokenReport


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

    @property
    def title(self) -> str:
        """What the scores are of."""
        return "distillation, held-out texts"

    @property
    def table(self) -> Table:
        """How near both vectors are to the teacher's."""
        scores = self.scores
        rows = [
            ["mean", f"{scores.vector_cosine:.4f}", f"{scores.relation_error:.4f}"],
            ["pooler", f"{scores.pooler_vector_cosine:.4f}", f"{scores.pooler_relation_error:.4f}"],
        ]
        return Table(["vector", "cosine to the teacher's", "relation error"], rows)

    @property
    def sentences(self) -> list[str]:
        """The heads' accuracies, how much was trained, and how fast."""
        scores = self.scores
        heads = f"masked words {scores.mlm_accuracy or 0:.2f} %, sentence order {scores.sop_accuracy or 0:.2f} %"
        (figures,) = super().sentences
        figures += f"; {self.texts:,} texts, {self.held_out_texts:,} held out"
        return [figures] if scores.mlm_accuracy is None else [heads, figures]
