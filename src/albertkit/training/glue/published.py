"""Published scores on GLUE's dev splits: the rows next to ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class PublishedRow:
    """What somebody else reported."""

    model: str
    source: str
    """Where it was published."""
    scores: Mapping[str, Mapping[str, float]]
    """Task -> metric -> value on 0-100; tasks that were not reported are absent."""
    split: str = "dev"

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return asdict(self)


def _accuracies(**scores: float) -> dict[str, dict[str, float]]:
    return {task: {"accuracy": value} for task, value in scores.items()}


PUBLISHED = (
    PublishedRow("BERT-large", "ALBERT paper (arXiv 1909.11942), table 2", _accuracies(mnli=86.6, sst2=93.0)),
    PublishedRow("ALBERT-base v1", "ALBERT paper, table 2", _accuracies(mnli=81.6, sst2=90.3)),
    PublishedRow("ALBERT-base v2", "README of google-research/albert", _accuracies(mnli=84.6, sst2=92.9)),
    PublishedRow("ALBERT-xxlarge v1", "ALBERT paper, table 2", _accuracies(mnli=88.0, sst2=95.2)),
    PublishedRow(
        "ALBERT-xxlarge v1, 1.5M steps",
        "ALBERT paper, single models on dev",
        {
            "cola": {"mcc": 71.4},
            "stsb": {"pearson": 93.0},
            **_accuracies(sst2=96.9, mrpc=90.9, qqp=92.2, mnli=90.8, qnli=95.3, rte=89.2),
        },
    ),
)
"""Small to large. CoLA is Matthews correlation, STS-B Pearson, all others accuracy, as Google's code reports them."""
