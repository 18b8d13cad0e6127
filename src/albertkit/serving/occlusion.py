"""Occlusion: which words moved a label, as a job: the whole text, and a copy for each word with that word masked.

The same figures as `albertkit predict --explain` (captum's FeatureAblation), without captum, and in passes that other
requests share.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from albertkit.batching.batch import Sequence as TokenSequence
from albertkit.errors import did_you_mean
from albertkit.explaining.reading import Reading, read_example
from albertkit.inference.predictor import Predictor
from albertkit.serving.abilities import Results, Work
from albertkit.serving.batching import FloatArray, Job
from albertkit.serving.limits import Limits
from albertkit.serving.refusals import Refusal
from albertkit.tasks.classification import ClassificationTask, unit_logits
from albertkit.tasks.encoded import Encoded


def explain(
    predictor: Predictor, pairs: Sequence[tuple[str, str | None]], *, label: str | None, limits: Limits
) -> Work:
    """Return the work of explaining each text.

    Args:
        predictor: a classifier or a regression.
        pairs: texts, each with its second text or None.
        label: whose probability is explained; each text's most probable one when left out.
        limits: checked before the copies are made.

    Raises:
        Refusal: an unknown label, or more tokens than a request may have read.
    """
    task, labels = predictor.model.task, predictor.labels
    assert isinstance(task, ClassificationTask)
    if label is not None and label not in labels:
        known = f"the labels are {', '.join(labels)}" if labels else "a regression has none"
        raise Refusal(422, f'the field "label" names no label of the model{did_you_mean(label, labels)} ({known})')
    readings = []
    tokens = 0
    for text, pair in pairs:
        reading = read_example(predictor, task.example_of(text, pair))
        readings.append(reading)
        tokens += (len(reading.words) + 1) * sum(map(len, reading.sequences))
        limits.check_tokens(tokens)
    mask_id = predictor.model.tokenizer.mask_id
    sequences = [sequence for reading in readings for sequence in _copies(reading, mask_id)]

    def finish(rows: Sequence[FloatArray]) -> Results:
        found = []
        start = 0
        for (text, pair), reading in zip(pairs, readings, strict=True):
            copies, each = len(reading.words) + 1, len(reading.sequences)
            own = rows[start : start + copies * each]
            start += copies * each
            encoded = Encoded(_empty(copies * each), np.full(copies, each, np.int64), np.arange(copies, dtype=np.int64))
            logits = unit_logits(own, encoded)
            values = logits.astype(np.float64) if task.name == "regression" else task.probabilities(logits)
            output = int(values[0].argmax()) if label is None else labels.index(label)
            found.append(_result(task, labels, text, pair, reading, values[:, output], output))
        return found

    return Work(Job(sequences, "logits"), finish)


def _copies(reading: Reading, mask_id: int) -> list[TokenSequence]:
    copies = list(reading.sequences)
    for number in range(len(reading.words)):
        for sequence, owners in zip(reading.sequences, reading.owners, strict=True):
            ids = np.where(owners == number, mask_id, sequence.input_ids)
            copies.append(TokenSequence(ids, sequence.token_type_ids))
    return copies


def _empty(count: int) -> list[TokenSequence]:
    # Only their number counts where the rows are there already.
    return [TokenSequence(np.zeros(0, np.int64), np.zeros(0, np.int64))] * count


def _result(
    task: ClassificationTask,
    labels: Sequence[str],
    text: str,
    pair: str | None,
    reading: Reading,
    values: Any,
    output: int,
) -> dict[str, Any]:
    words = []
    for word, without in zip(reading.words, values[1:], strict=True):
        of = text if word.field == "text" else pair or ""
        words.append(
            {
                "text": of[word.start : word.end],
                "start": word.start,
                "end": word.end,
                "field": word.field,
                "score": float(values[0] - without),
            }
        )
    return {
        "label": None if task.name == "regression" else labels[output],
        "method": "occlusion",
        "base": float(values[0]),
        "words": words,
        "unread": reading.unread,
    }
