"""Pairs of texts that belong together, and the texts of a corpus: what negatives are mined from."""

from __future__ import annotations

import warnings
from pathlib import Path

from albertkit.data.examples import TextExample
from albertkit.datasets.dataset import Dataset
from albertkit.datasets.text_files import open_texts
from albertkit.errors import DataError, UsageError


def positive_pairs(dataset: Dataset, *, threshold: float | None = None) -> list[tuple[str, str]]:
    """Return the pairs of a split that belong together.

    >>> rows = [TextExample("a", "b", 4.5), TextExample("c", "d", 1.0)]
    >>> positive_pairs(Dataset("s", "train", "regression", (), (), rows), threshold=4)
    [('a', 'b')]

    Args:
        dataset: pairs of texts, all of which belong together or which have numbers.
        threshold: the least number of those that belong together.

    Raises:
        DataError: the split holds no pairs.
        UsageError: the numbers differ and there is no threshold, or the other way round, or no pair reaches it.
    """
    rows = [row for row in dataset.examples if isinstance(row, TextExample)]
    if not rows or any(row.pair is None for row in rows):
        raise DataError(
            f"{dataset.name} {dataset.split}: mining needs two texts per row, such as columns anchor and positive; "
            "name the second with --pair-column"
        )
    pairs = [(row, (row.text, row.pair or "")) for row in rows]
    if threshold is None:
        if len({row.label for row in rows}) > 1:
            raise UsageError(
                f"{dataset.name} {dataset.split}: the labels of the pairs differ; say with --threshold which number a "
                "pair must have to belong together"
            )
        return [pair for _, pair in pairs]
    if dataset.task != "regression":
        raise UsageError(f"--threshold needs numbers, but {dataset.name} has the labels {', '.join(dataset.labels)}")
    found = [pair for row, pair in pairs if isinstance(row.label, int | float) and row.label >= threshold]
    if not found:
        raise UsageError(f"{dataset.name} {dataset.split}: no pair has a number of {threshold:g} or more")
    return found


def corpus_texts(path: Path, *, text_column: str | None = None) -> list[str]:
    """Return the texts of a file of lines or a table that are not blank; warn of what was found out about the table.

    Raises:
        DataError: the file cannot be read, or holds no text.
        MissingExtraError: Parquet without pyarrow, .xlsx without openpyxl.
    """
    file = open_texts(path, text_column=text_column)
    for note in file.warnings:
        warnings.warn(note, stacklevel=2)
    texts = [text for piece in file.pieces() for text in piece.texts]
    found = [text for text in texts if text.strip()]
    if not found:
        raise DataError(f"{path}: holds no text")
    return found
