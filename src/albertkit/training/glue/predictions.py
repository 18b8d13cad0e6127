"""Predictions of GLUE's splits as the files that the server, and `albertkit score`, read: index and prediction."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from albertkit.datasets.dataset import Dataset
from albertkit.inference.predictor import Predictor
from albertkit.inference.running import Progress
from albertkit.io.files import write_text

HIGHEST_SIMILARITY = 5.0
"""STS-B's scores go from 0 to this."""


def predicted_words(
    predictor: Predictor, dataset: Dataset, *, clip: bool = False, progress: Progress | None = None
) -> list[str]:
    """Return one word an example, as the benchmark's files spell the labels: "1", "not_entailment", "3.141".

    Args:
        predictor: a model trained on the task.
        dataset: the split, with labels or without.
        clip: bring STS-B's numbers into 0 to 5, as the server wants them; a score of dev takes them as they are.
        progress: called with the number of examples just finished.
    """
    words = []
    for row in predictor.predict_examples(dataset.examples, progress=progress):
        if "label" in row:
            words.append(str(row["label"]))
        else:
            value = float(row["value"])
            if clip:
                value = min(max(value, 0.0), HIGHEST_SIMILARITY)
            words.append(f"{value:.9g}")  # nine digits tell any two float32 apart: ranks keep
    return words


def write_predictions(path: Path, dataset: Dataset, words: Sequence[str]) -> None:
    """Write the file: a header, then a row for each example in the split's order.

    The index is the example's own where the file has one, else its number from 0, which is what the server counts.

    Args:
        path: the path to write.
        dataset: the split.
        words: one an example.

    Raises:
        WriteError: the system refused.
    """
    rows = [
        f"{number if example.id is None else example.id}\t{word}\n"
        for number, (example, word) in enumerate(zip(dataset.examples, words, strict=True))
    ]
    write_text(path, "index\tprediction\n" + "".join(rows))
