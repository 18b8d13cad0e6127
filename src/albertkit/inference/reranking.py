"""Rerank: score a question with each of some texts by a model that reads or compares pairs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from albertkit.errors import UsageError, did_you_mean
from albertkit.inference.predictor import Predictor
from albertkit.inference.running import Progress


def pair_scores(
    predictor: Predictor,
    question: str,
    texts: Sequence[str],
    *,
    label: str | None = None,
    progress: Progress | None = None,
) -> list[float]:
    """Return how well each text fits a question; higher is better.

    Args:
        predictor: a regression of pairs (its value), a similarity (its cosine) or a classification of pairs.
        question: the first text of each pair.
        texts: the second texts.
        label: of a classification: the label whose probability is the score.
        progress: called with the number of pairs just finished.

    Raises:
        UsageError: another task, a label that the model does not have or need, or none where it needs one.
    """
    score = score_of(predictor, label=label)
    if not texts:
        return []
    return [score(row) for row in predictor.predict([(question, text) for text in texts], progress=progress)]


def score_of(predictor: Predictor, *, label: str | None = None) -> Callable[[Mapping[str, Any]], float]:
    """Return what is the score in a prediction of the model.

    Raises:
        UsageError: as `pair_scores`.
    """
    task, name, labels = predictor.model.task, predictor.model.source, predictor.labels
    if task is None or task.name not in ("regression", "similarity", "classification"):
        found = "no task head" if task is None else f"the task {task.name}"
        raise UsageError(
            f"{name} has {found} and cannot rerank; give a regression, similarity or classification of pairs"
        )
    if task.name != "classification":
        if label is not None:
            raise UsageError(f"{name} has no labels (its task is {task.name}); leave the label {label} out")
        key = "value" if task.name == "regression" else "similarity"
        return lambda row: float(row[key])
    if label is None or label not in labels:
        wrong = "" if label is None else f', but not "{label}"{did_you_mean(label, labels)}'
        raise UsageError(
            f"{name} has the labels {', '.join(labels)}{wrong}; say with --rerank-label which one means that a text "
            "fits"
        )
    return lambda row: float(row["probabilities"][label])
