"""The texts whose labels or numbers are most wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from albertkit.data.examples import TextExample
from albertkit.scoring.mistakes import Mistake, worst
from albertkit.tasks.prediction_rows import keys_of


def label_mistakes(
    examples: Sequence[TextExample],
    *,
    targets: npt.NDArray[Any],
    predicted: npt.NDArray[Any],
    probabilities: npt.NDArray[np.float64] | None,
    labels: Sequence[str],
) -> tuple[Mistake, ...]:
    """Return wrong labels by the probability that the model gave them, or numbers by their distance.

    Args:
        examples: the texts.
        targets: `[n]` label numbers or numbers, or `[n, labels]` zeros and ones.
        predicted: the same of the model.
        probabilities: `[n, labels]`; None for numbers.
        labels: names of the labels.
    """
    keys = keys_of(examples)

    def mistake(row: int, expected: str, answer: str, share: float | None) -> Mistake:
        return Mistake(keys[row], examples[row].text, expected, answer, examples[row].pair, share)

    def found() -> Iterator[tuple[float, Mistake]]:
        wrong = predicted != targets
        for row in np.flatnonzero(wrong if wrong.ndim == 1 else wrong.any(axis=1)).tolist():
            true, given = targets[row], predicted[row]
            if probabilities is None:
                yield abs(float(given) - float(true)), mistake(row, f"{true:.4g}", f"{given:.4g}", None)
            elif wrong.ndim == 1:
                share = float(probabilities[row, given])
                yield share, mistake(row, labels[true], labels[given], share)
            else:
                severity = float(np.abs(probabilities[row] - true).max())
                yield severity, mistake(row, _names(true, labels), _names(given, labels), None)

    return worst(found())


def _names(marks: npt.NDArray[Any], labels: Sequence[str]) -> str:
    return ", ".join(labels[number] for number in np.flatnonzero(marks).tolist()) or "(none)"
