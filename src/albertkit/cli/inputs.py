"""What `predict --input` reads: texts of a file of any size, or questions, choices and tagged words."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Inputs:
    """What is to be predicted, some thousand rows at a time."""

    total: int
    pieces: Iterable[Sequence[Any]]
    """Texts, pairs of texts, or examples."""
    are_examples: bool = False
    """Whether the pieces hold examples, which `Predictor.predict_examples` takes."""

    def predict(self, predictor: Any, piece: Sequence[Any], *, progress: Any) -> list[Mapping[str, Any]]:
        """Return one prediction per row of a piece, with what names the row."""
        if not self.are_examples:
            found: list[Mapping[str, Any]] = predictor.predict(piece, progress=progress)
            return found
        predictions = predictor.predict_examples(piece, progress=progress)
        return [{**_described(example), **row} for example, row in zip(piece, predictions, strict=True)]


def read_inputs(
    path: Path,
    *,
    predictor: Any,
    run: str,
    text_column: str | None = None,
    pair_column: str | None = None,
    encoding: str | None = None,
) -> Inputs:
    """Open a file, look at every row once, and give the rows piece by piece.

    A file of texts or pairs is read twice and never held. Questions, choices and tags are held, since their file may be
    one JSON document.

    Args:
        path: a file of one text per line, a table, or for such tasks questions, choices or tagged words.
        predictor: of the model.
        run: the model's name; its own columns are taken where the table has them and none are given.
        text_column: column of the (first) text.
        pair_column: column of the second text.
        encoding: of a text file; its byte order mark says it, else it is UTF-8, if None.

    Raises:
        UsageError: there is no such encoding.
        DataError: the file is not there, is not of its encoding, has no such column, or rows cannot be used.
    """
    from albertkit.errors import DataError

    examples = _read_examples(path, task=predictor.model.task, labels=predictor.labels, encoding=encoding)
    if examples is not None:
        return Inputs(len(examples), _in_pieces(examples), are_examples=True)
    file = open_for_model(path, run=run, text_column=text_column, pair_column=pair_column, encoding=encoding)
    found = file.check()
    if not found.rows and file.columns is not None:
        raise DataError(f"{path}: no usable row; a table needs rows")
    for warning in found.warnings:
        warnings.warn(warning, stacklevel=2)
    return Inputs(found.rows, (piece.inputs for piece in file.pieces()))


def open_for_model(
    path: Path, *, run: str, text_column: str | None, pair_column: str | None, encoding: str | None = None
) -> Any:
    """Return a `TextFile` of texts or pairs, by the columns of training where the table has them and none are given.

    Raises:
        UsageError, DataError: as `read_inputs`.
    """
    from albertkit.datasets.text_files import open_texts
    from albertkit.training.run_data import trained_columns

    trained = {use: name for use, name in trained_columns(run).items() if use != "label_column"}
    return open_texts(
        path, text_column=text_column, pair_column=pair_column, preferred=trained, pairs=True, encoding=encoding
    )


def _read_examples(path: Path, *, task: Any, labels: Sequence[str], encoding: str | None) -> Sequence[Any] | None:
    """Read questions, choices or tagged words for a model of such a task; None where the file holds plain texts."""
    from albertkit.data.examples import TokenExample
    from albertkit.datasets import open_data
    from albertkit.datasets.dataset import STRUCTURED_METRICS
    from albertkit.datasets.lines import require_file
    from albertkit.datasets.own_files import ROW_ENDINGS
    from albertkit.datasets.table_files import open_table

    if task is None or task.data_task not in STRUCTURED_METRICS:
        return None
    if path.suffix == ".txt" or (task.data_task == "token_classification" and path.suffix in (".csv", ".tsv")):
        return None  # texts that are yet to be parted into words
    require_file(path)
    tags = list(labels) if task.data_task == "token_classification" else None
    source = open_data(path, task=task.data_task, labels=tags, labelled=False, encoding=encoding)
    data = source.split(source.splits[0])
    if tags is not None and path.suffix in ROW_ENDINGS and "tokens" not in open_table(path, encoding=encoding).columns:
        # Texts without words of their own: the model splits them as its training data were.
        return [replace(task.example_of(example.text), id=example.id) for example in data.of(TokenExample)]
    return data.examples


def _in_pieces(examples: Sequence[Any]) -> Iterator[Sequence[Any]]:
    from albertkit.datasets.text_files import ROWS

    return (examples[start : start + ROWS] for start in range(0, len(examples), ROWS))


def _described(example: Any) -> dict[str, Any]:
    """Return what names a row in the output: its id, and its text, question or context."""
    named = {"id": example.id} if example.id is not None else {}
    if hasattr(example, "question"):
        return {**named, "text": example.question}
    return {**named, "text": example.text}
