"""Explaining: which words moved a label, in Python; `terminal.py` and `page.py` show it to people."""

from __future__ import annotations

from collections.abc import Sequence

from albertkit.errors import UsageError, did_you_mean
from albertkit.explaining.attribution import METHODS, output_values, whole_text
from albertkit.explaining.explanation import Explanation, WordScore
from albertkit.explaining.reading import Word, read_example, require_labels
from albertkit.inference.predictor import Predictor
from albertkit.inference.running import Progress

__all__ = ["Explanation", "WordScore", "explain"]


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
        label: whose probability is explained; each text's most probable label when left out.
        progress: called with the number of texts just finished.

    Raises:
        UsageError: an unknown method or label, or a model whose predictions are no labels.
        MissingExtraError: captum is not installed.
        TextError: a text that cannot be tokenised.
    """
    require_labels(predictor)
    if method not in METHODS:
        raise UsageError(f'unknown method "{method}"{did_you_mean(method, METHODS)} (known: {", ".join(METHODS)})')
    labels = predictor.labels
    if label is not None and label not in labels:
        known = f"the labels are {', '.join(labels)}" if labels else "a regression has none"
        raise UsageError(f'{predictor.model.source} has no label "{label}"{did_you_mean(label, labels)} ({known})')
    task = predictor.model.task
    assert task is not None
    found = []
    for row in [texts] if isinstance(texts, str) else texts:
        text, pair = (row, None) if isinstance(row, str) else (row[0], row[1])
        reading = read_example(predictor, task.example_of(text, pair))
        values = output_values(predictor, whole_text(reading))[0]
        output = int(values.argmax()) if label is None else labels.index(label)
        scores = METHODS[method](predictor, reading, output=output)
        words = [
            _scored(word, text if word.field == "text" else pair or "", score)
            for word, score in zip(reading.words, scores, strict=True)
        ]
        named = labels[output] if task.name != "regression" else None
        found.append(Explanation(text, pair, named, method, float(values[output]), words, reading.unread))
        if progress is not None:
            progress(1)
    return found


def _scored(word: Word, text: str, score: float) -> WordScore:
    return WordScore(text[word.start : word.end], word.start, word.end, word.field, score)
