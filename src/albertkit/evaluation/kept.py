"""Compare the score of a changed model with that of the original, on labelled data."""

from __future__ import annotations

from dataclasses import dataclass

from albertkit.datasets.dataset import Dataset
from albertkit.errors import AlbertkitError
from albertkit.evaluation.evaluate import evaluate
from albertkit.inference.predictor import Predictor
from albertkit.inference.running import Progress

MOST_LOST = 0.5
"""Points of the main metric, on 0-100."""


class MetricLostError(AlbertkitError):
    """A changed model is worse than the original by more than was allowed."""


@dataclass(frozen=True)
class Kept:
    """What two models reach on the same examples."""

    metric: str
    before: float
    after: float
    examples: int


def check_kept(
    original: Predictor,
    changed: Predictor,
    dataset: Dataset,
    *,
    most: float = MOST_LOST,
    progress: Progress | None = None,
) -> Kept:
    """Score both models on a split.

    Args:
        original: the model.
        changed: the same in another form, e.g. with rounded weights.
        dataset: the split, with labels; one that neither was trained on.
        most: points of the main metric that may be lost.
        progress: called with the number of examples just finished; each passes twice.

    Raises:
        MetricLostError: the changed model is worse by more.
        UsageError, DataError: as `evaluate`.
    """
    found = [evaluate(one, dataset, progress=progress).metrics for one in (original, changed)]
    metric = next(iter(found[0]))
    before, after = (float(metrics[metric] or 0.0) for metrics in found)  # None: no number, as the MCC of one class
    if before - after > most:
        raise MetricLostError(
            f"{metric} on {len(dataset):,} examples of {dataset.name} {dataset.split} falls from {before:.2f} to "
            f"{after:.2f}, by more than {most:g}: nothing was written; fp16 loses less"
        )
    return Kept(metric, before, after, len(dataset))
