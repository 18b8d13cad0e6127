"""Reading texts to predict or embed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from albertkit.errors import DataError


def read_texts(
    path: Path, *, text_column: str | None = None, pair_column: str | None = None
) -> list[str | tuple[str, str]]:
    r"""Read one text a line (lines end at `\n` alone), or the text columns of a table.

    Raises:
        DataError: the file is not there, is not UTF-8, or has no such column.
    """
    from albertkit.datasets import open_data
    from albertkit.datasets.table_files import is_table

    if not path.is_file():
        raise DataError(f"{path}: there is no such file")
    if is_table(path):
        source = open_data(path, text_column=text_column, pair_column=pair_column, labelled=False)
        examples = source.split(source.splits[0]).examples
        return [example.text if example.pair is None else (example.text, example.pair) for example in examples]
    content = path.read_bytes()
    rows: list[str | tuple[str, str]] = []
    for number, line in enumerate(content.split(b"\n"), 1):
        try:
            rows.append(line.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise DataError(f"{path}, line {number}: not UTF-8 ({error.reason}); save the file as UTF-8") from error
    if rows and rows[-1] == "":
        rows.pop()
    return rows


def read_examples(path: Path, *, task: Any, labels: Sequence[str]) -> list[Any] | None:
    """Read questions, choices or tagged words for a model of such a task; None where the file holds plain texts.

    Raises:
        DataError: the file is not there, or a row cannot be used.
    """
    from albertkit.datasets import open_data
    from albertkit.datasets.dataset import STRUCTURED_METRICS
    from albertkit.datasets.own_files import ROW_ENDINGS
    from albertkit.datasets.table_files import open_table

    if task is None or task.data_task not in STRUCTURED_METRICS:
        return None
    if path.suffix == ".txt" or (task.data_task == "token_classification" and path.suffix in (".csv", ".tsv")):
        return None  # texts that are yet to be parted into words
    if not path.is_file():
        raise DataError(f"{path}: there is no such file")
    tags = list(labels) if task.data_task == "token_classification" else None
    source = open_data(path, task=task.data_task, labels=tags, labelled=False)
    examples = list(source.split(source.splits[0]).examples)
    if tags is not None and path.suffix in ROW_ENDINGS and "tokens" not in open_table(path).columns:
        # Texts without words of their own: the model splits them as its training data were.
        return [replace(task.example_of(example.text), id=example.id) for example in examples]
    return examples


def described(example: Any) -> dict[str, Any]:
    """Return what names a row in the output: its id, and its text, question or context."""
    named = {"id": example.id} if example.id is not None else {}
    if hasattr(example, "question"):
        return {**named, "text": example.question}
    return {**named, "text": example.text}
