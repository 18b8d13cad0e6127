"""Explaining: which words moved a label, in Python; `terminal.py` and `page.py` show it to people."""

from __future__ import annotations

from collections.abc import Sequence

from albertkit.errors import UsageError, did_you_mean
from albertkit.explaining.explanation import Explanation, WordScore
from albertkit.explaining.occlusion import by_occlusion
from albertkit.explaining.reading import read_example, require_labels
from albertkit.inference.predictor import Predictor
from albertkit.inference.running import Progress

__all__ = ["Explanation", "WordScore", "explain"]

METHODS = ("occlusion", "gradients")


def explain(
    predictor: Predictor,
    texts: str | Sequence[str | tuple[str, str]],
    *,
    method: str = "occlusion",
    label: str | None = None,
    progress: Progress | None = None,
) -> list[Explanation]:
    """Return for each text how much each of its words moved the model's output.

    Args:
        predictor: a model that gives labels or a value: `albertkit.load(RUN)`.
        texts: a text, or several; a tuple of two texts is a pair.
        method: `occlusion` masks one word after the other, a forward pass each; `gradients` integrates the gradient
            from the masked text to the whole, at a cost that does not grow with the number of words.
        label: whose probability is explained; default: each text's most probable label.
        progress: called with the number of texts just finished.

    Raises:
        UsageError: an unknown method or label, or a model whose predictions are no labels.
        MissingExtraError: `gradients`, and captum is not installed.
        TextError: a text that cannot be tokenised.
    """
    task = require_labels(predictor)
    if method not in METHODS:
        raise UsageError(f'unknown method "{method}"{did_you_mean(method, METHODS)} (known: {", ".join(METHODS)})')
    labels = predictor.labels
    if label is not None and label not in labels:
        known = f"the labels are {', '.join(labels)}" if labels else "a regression has none"
        raise UsageError(f'{predictor.model.source} has no label "{label}"{did_you_mean(label, labels)} ({known})')
    explain_one = by_occlusion
    if method == "gradients":
        from albertkit.explaining.gradients import by_gradients as explain_one  # imports torch
    found = []
    for row in [texts] if isinstance(texts, str) else texts:
        text, pair = (row, None) if isinstance(row, str) else (row[0], row[1])
        reading = read_example(predictor, task.example_of(text, pair))
        found.append(explain_one(predictor, reading, label=label))
        if progress is not None:
            progress(1)
    return found
