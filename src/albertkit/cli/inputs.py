"""Reading texts to predict or embed."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any


def read_texts(
    path: Path,
    *,
    run: str | None = None,
    text_column: str | None = None,
    pair_column: str | None = None,
    encoding: str | None = None,
) -> list[str | tuple[str, str]]:
    r"""Read one text per line (lines end at `\n`, `\r\n` or `\r`), or the text columns of a table.

    Args:
        path: the file.
        run: the model, whose own columns are taken where the table has them and none are given.
        text_column: column of the (first) text.
        pair_column: column of the second text.
        encoding: of a text file; its byte order mark says it, else it is UTF-8, if None.

    Raises:
        UsageError: there is no such encoding.
        DataError: the file is not there, is not of its encoding, or has no such column.
    """
    from albertkit.datasets import open_data
    from albertkit.datasets.table_files import is_table, open_table
    from albertkit.datasets.text_stream import DataWarning, lines_of, require_file, require_lines

    require_file(path)
    if not is_table(path):
        require_lines(path)
        return [line for _, line in lines_of(path, encoding=encoding)]
    if run is not None and text_column is None and pair_column is None:
        from albertkit.training.run_data import trained_columns

        trained = trained_columns(run)
        columns = [name for use, name in trained.items() if use != "label_column"]
        if columns and set(columns) <= set(open_table(path, encoding=encoding).columns):
            text_column, pair_column = trained.get("text_column"), trained.get("pair_column")
    source = open_data(path, text_column=text_column, pair_column=pair_column, labelled=False, encoding=encoding)
    data = source.split(source.splits[0])
    for note in data.notes:
        warnings.warn(note, DataWarning, stacklevel=2)
    return [example.text if example.pair is None else (example.text, example.pair) for example in data]


def read_examples(path: Path, *, task: Any, labels: Sequence[str], encoding: str | None = None) -> list[Any] | None:
    """Read questions, choices or tagged words for a model of such a task; None where the file holds plain texts.

    Raises:
        UsageError: there is no such encoding.
        DataError: the file is not there, or a row cannot be used.
    """
    from albertkit.datasets import open_data
    from albertkit.datasets.dataset import STRUCTURED_METRICS
    from albertkit.datasets.own_files import ROW_ENDINGS
    from albertkit.datasets.table_files import open_table
    from albertkit.datasets.text_stream import require_file

    if task is None or task.data_task not in STRUCTURED_METRICS:
        return None
    if path.suffix == ".txt" or (task.data_task == "token_classification" and path.suffix in (".csv", ".tsv")):
        return None  # texts that are yet to be parted into words
    require_file(path)
    tags = list(labels) if task.data_task == "token_classification" else None
    source = open_data(path, task=task.data_task, labels=tags, labelled=False, encoding=encoding)
    examples = list(source.split(source.splits[0]).examples)
    if tags is not None and path.suffix in ROW_ENDINGS and "tokens" not in open_table(path, encoding=encoding).columns:
        # Texts without words of their own: the model splits them as its training data were.
        return [replace(task.example_of(example.text), id=example.id) for example in examples]
    return examples


def described(example: Any) -> dict[str, Any]:
    """Return what names a row in the output: its id, and its text, question or context."""
    named = {"id": example.id} if example.id is not None else {}
    if hasattr(example, "question"):
        return {**named, "text": example.question}
    return {**named, "text": example.text}
