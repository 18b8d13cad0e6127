"""Occlusion: how far an output falls when a word is masked, for each word.

A word is masked, not removed: ALBERT was pretrained to read around [MASK], and every other word keeps its position. The
scores are those of captum's FeatureAblation; a test compares them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from albertkit.batching.batch import Sequence as TokenSequence
from albertkit.explaining.explanation import Explanation
from albertkit.explaining.reading import Reading, output_values, require_labels
from albertkit.inference.predictor import Predictor
from albertkit.inference.running import FloatArray, Work, run_work


def by_occlusion(predictor: Predictor, reading: Reading, *, label: str | None) -> Explanation:
    """Return the explanation of a text, with a forward pass for each word."""
    return run_work(predictor.runtime, occluding(predictor, [reading], label=label))[0]


def occluding(predictor: Predictor, readings: Sequence[Reading], *, label: str | None) -> Work[list[Explanation]]:
    """Return the work of explaining some texts: the model reads each one whole, and once per word without that word.

    Args:
        predictor: the model.
        readings: readings of the texts.
        label: whose probability is explained; each text's most probable one where it is None.

    Raises:
        UsageError: a model whose predictions are no labels.
    """
    task, labels = require_labels(predictor), predictor.labels
    mask_id = predictor.model.tokenizer.mask_id

    def finish(rows: Sequence[FloatArray]) -> list[Explanation]:
        found = []
        start = 0
        for reading in readings:
            end = start + (len(reading.words) + 1) * len(reading.sequences)
            values = output_values(task, rows[start:end], each=len(reading.sequences))
            start = end
            output = int(values[0].argmax()) if label is None else labels.index(label)
            column = values[:, output]
            named = None if task.name == "regression" else labels[output]
            scores = (column[0] - column[1:]).tolist()
            found.append(Explanation.of(reading, scores, label=named, method="occlusion", base=float(column[0])))
        return found

    return Work([sequence for one in readings for sequence in _copies(one, mask_id)], "logits", finish)


def _copies(reading: Reading, mask_id: int) -> list[TokenSequence]:
    """Return the sequences of the whole text, then for each word the same with that word masked."""
    copies = list(reading.sequences)
    for number in range(len(reading.words)):
        for sequence, owners in zip(reading.sequences, reading.owners, strict=True):
            copies.append(
                TokenSequence(np.where(owners == number, mask_id, sequence.input_ids), sequence.token_type_ids)
            )
    return copies
