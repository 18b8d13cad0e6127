"""PretrainReport: what a pretraining reached, written to report.json."""

from __future__ import annotations

from dataclasses import dataclass

from albertkit.evaluation.report_cells import Table
from albertkit.training.token_report import TokenReport


@dataclass(frozen=True, kw_only=True)
class PretrainReport(TokenReport):
    """The figures of one run; losses in nats, accuracies on 0-100, all on held-out documents."""

    mlm_loss: float
    mlm_accuracy: float
    sop_loss: float
    sop_accuracy: float
    data: str
    held_out_tokens: int
    """Tokens that the scores are of; 0: nothing was held out, the scores are of training text."""
    returns: int
    """How often the loss ran away and the run went back."""
    kind: str = "pretraining"

    @property
    def title(self) -> str:
        """What the scores are of."""
        return f"pretraining, {'held-out text' if self.held_out_tokens else 'training text (nothing was held out)'}"

    @property
    def table(self) -> Table:
        """Loss and accuracy of both objectives."""
        rows = [
            ["masked pieces", f"{self.mlm_loss:.3f}", f"{self.mlm_accuracy:.2f} %"],
            ["sentence order", f"{self.sop_loss:.3f}", f"{self.sop_accuracy:.2f} %"],
        ]
        return Table(["", "loss", "accuracy"], rows)
