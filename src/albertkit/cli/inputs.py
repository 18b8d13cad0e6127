"""What `predict --input` reads: texts of a file of any size, or questions, choices and tagged words."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Piece:
    """Some rows that are to be predicted."""

    rows: Sequence[Any]
    """Texts, pairs of texts, or examples."""
    columns: Mapping[str, Any]
    """The columns of the input: name -> values."""
    same: Mapping[str, str]
    """Key of a prediction -> the column of the input that holds the same."""
    are_examples: bool = False
    """Whether the rows are examples, which `Predictor.predict_examples` takes."""

    def predict(self, predictor: Any, *, progress: Any) -> list[Mapping[str, Any]]:
        """Return one prediction per row, with what names the row."""
        if not self.are_examples:
            found: list[Mapping[str, Any]] = predictor.predict(self.rows, progress=progress)
            return found
        predictions = predictor.predict_examples(self.rows, progress=progress)
        return [{**_described(example), **row} for example, row in zip(self.rows, predictions, strict=True)]


@dataclass(frozen=True)
class Inputs:
    """What is to be predicted, some thousand rows at a time."""

    total: int
    pieces: Iterable[Piece]


def given_texts(texts: Sequence[str], pairs: Sequence[str]) -> Inputs:
    """Return the texts of a command line, with their second texts if there are any."""
    rows = list(zip(texts, pairs, strict=True)) if pairs else list(texts)
    columns = {"text": texts, "pair": pairs} if pairs else {"text": texts}
    return Inputs(len(texts), [Piece(rows, columns, {name: name for name in columns})])


def input_path_of(
    path: str, *, kind: str | None, text_column: str | None = None, trained: Mapping[str, str] | None = None
) -> Path:
    """Return the path of --input; "-" is standard input, which is kept in a temporary file while the command runs.

    Args:
        path: as it was given.
        kind: what standard input holds, `lines` or the ending of a table; None for lines.
        text_column: the column that was given, which lines do not have.
        trained: the columns of the model's training (`trained_columns`).

    Raises:
        UsageError: a kind for a file, a column of lines, or a table without its kind.
    """
    import shutil
    import sys
    import tempfile

    import click

    from albertkit.errors import UsageError
    from albertkit.io.files import local_path

    if path != "-":
        if kind is not None:
            raise UsageError(f"--input-format goes with --input -; the ending of {path} says what the file holds")
        return local_path(path)
    if text_column is not None and kind in (None, "lines"):
        raise UsageError("lines have no columns; say what standard input holds, such as --input-format csv")
    folder = click.get_current_context().with_resource(tempfile.TemporaryDirectory(prefix="albertkit-"))
    file = Path(folder) / f"standard-input.{'txt' if kind in (None, 'lines') else kind}"
    with file.open("wb") as copy:
        shutil.copyfileobj(sys.stdin.buffer, copy)
    if kind is None:
        _refuse_table(file, trained or {})
    return file


def _refuse_table(file: Path, trained: Mapping[str, str]) -> None:
    """Refuse standard input that would be read as lines although its first line is that of a table."""
    import csv
    import json
    from contextlib import suppress

    from albertkit.data.columns import has_trained, has_usual_text
    from albertkit.errors import UsageError

    with file.open("rb") as content:
        line = content.readline(10_000).decode("utf-8-sig", "replace").strip()
    found = None
    for kind, delimiter in (("csv", ","), ("tsv", "\t")):
        cells = next(csv.reader([line], delimiter=delimiter), [])
        if len(cells) > 1 and (has_trained(cells, trained) or has_usual_text(cells)):
            found = kind
    if line.startswith("{"):
        with suppress(ValueError, RecursionError):
            found = "jsonl" if isinstance(json.loads(line), dict) else found
    if found is not None:
        raise UsageError(
            f"standard input looks like {found} (its first line: {line:.60}); pass --input-format {found}, or "
            "--input-format lines to read each line as one text"
        )


def require_other(output: str, source: Path, *, option: str = "--input") -> None:
    """Refuse an output that is the input itself.

    Args:
        output: the file to write.
        source: the file to read.
        option: that of the input, for the message.

    Raises:
        UsageError: it is.
    """
    from albertkit.errors import UsageError

    if Path(output).exists() and source.exists() and Path(output).samefile(source):
        raise UsageError(f'--output "{output}" is the {option} itself; give another file')


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
        return Inputs(len(examples), _in_pieces(examples))
    file = open_for_model(
        path, run=run, text_column=text_column, pair_column=pair_column, others=True, encoding=encoding
    )
    found = file.check()
    if not found.rows and file.columns is not None:
        raise DataError(f"{path}: no usable row; a table needs rows")
    for warning in found.warnings:
        warnings.warn(warning, stacklevel=2)
    chosen = file.columns
    same = {"text": "text" if chosen is None else chosen.text}
    if chosen is not None and chosen.pair is not None:
        same["pair"] = chosen.pair
    return Inputs(found.rows, (Piece(piece.inputs, file.columns_of(piece), same) for piece in file.pieces()))


def open_for_model(
    path: Path,
    *,
    run: str,
    text_column: str | None,
    pair_column: str | None,
    others: bool = False,
    encoding: str | None = None,
) -> Any:
    """Return a `TextFile` of texts or pairs, by the columns of training where the table has them and none are given.

    Args:
        path: a file of one text per line, or a table.
        run: the model's name.
        text_column: column of the (first) text.
        pair_column: column of the second text.
        others: whether the other columns are read.
        encoding: of a text file.

    Raises:
        UsageError, DataError: as `read_inputs`.
    """
    from albertkit.datasets.text_files import open_texts
    from albertkit.models.trained_columns import trained_columns

    return open_texts(
        path,
        text_column=text_column,
        pair_column=pair_column,
        trained=trained_columns(run),
        pairs=True,
        others=others,
        encoding=encoding,
    )


def _read_examples(path: Path, *, task: Any, labels: Sequence[str], encoding: str | None) -> Sequence[Any] | None:
    """Read questions, choices or tagged words for a model of such a task; None where the file holds plain texts."""
    from albertkit.data.examples import TokenExample
    from albertkit.datasets import open_data
    from albertkit.datasets.dataset import STRUCTURED_METRICS
    from albertkit.datasets.lines import require_file
    from albertkit.datasets.own_files import ROW_ENDINGS
    from albertkit.datasets.table_files import CELL_ENDINGS, open_table

    if task is None or task.data_task not in STRUCTURED_METRICS:
        return None
    if path.suffix == ".txt" or (task.data_task == "token_classification" and path.suffix.lower() in CELL_ENDINGS):
        return None  # texts that are yet to be parted into words
    require_file(path)
    tags = list(labels) if task.data_task == "token_classification" else None
    source = open_data(path, task=task.data_task, labels=tags, labelled=False, encoding=encoding)
    data = source.split(source.splits[0])
    if tags is not None and path.suffix in ROW_ENDINGS and "tokens" not in open_table(path, encoding=encoding).columns:
        # Texts without words of their own: the model splits them as its training data were.
        return [replace(task.example_of(example.text), id=example.id) for example in data.of(TokenExample)]
    return data.examples


def _in_pieces(examples: Sequence[Any]) -> Iterator[Piece]:
    from albertkit.datasets.text_files import ROWS

    names = ("id", "text") if any(example.id is not None for example in examples) else ("text",)
    for start in range(0, len(examples), ROWS):
        rows = examples[start : start + ROWS]
        described = [_described(example) for example in rows]
        columns = {name: [row.get(name) for row in described] for name in names}
        yield Piece(rows, columns, {name: name for name in names}, are_examples=True)


def _described(example: Any) -> dict[str, Any]:
    """Return what names a row in the output: its id, and its text, question or context."""
    named = {"id": example.id} if example.id is not None else {}
    if hasattr(example, "question"):
        return {**named, "text": example.question}
    return {**named, "text": example.text}
