"""Rows of a CSV, TSV, JSONL or Parquet file, by column name.

CSV is read by `csv_files`; in TSV, quotes are ordinary characters, as in GLUE.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from albertkit.datasets.csv_files import CsvReader, column_names, refuse_doubles
from albertkit.datasets.rows import BadRows, decode_text, split_lines
from albertkit.errors import DataError, MissingExtraError, UsageError

TableRow = tuple[str, list[Any]]
"""(place such as "line 3", values in the order of the columns asked for)."""


@dataclass(frozen=True)
class Table:
    """A table whose rows are read when asked for."""

    where: str
    """The file, as a message names it."""
    columns: tuple[str, ...]
    """Names of the columns."""
    rows: Callable[[Sequence[str], BadRows], Iterator[TableRow]]
    """(names of columns, bad rows) -> rows; a row that is no row goes to the bad ones."""
    notes: tuple[str, ...] = ()
    """One sentence for each thing that was found out about the file, such as its delimiter."""


def is_table(path: Path) -> bool:
    """Tell by its ending whether a file is a table.

    >>> is_table(Path("train.csv")), is_table(Path("notes.txt"))
    (True, False)
    """
    return path.suffix.lower() in _OPENERS


def open_table(path: Path, *, encoding: str | None = None) -> Table:
    """Open a table by the ending of its name.

    Args:
        path: the file.
        encoding: of a text file; its byte order mark says it, else it is UTF-8, if None.

    Raises:
        UsageError: there is no such encoding, or it is given for Parquet.
        DataError: the file does not exist, is empty, is not of its encoding or not what its ending says.
        MissingExtraError: Parquet without pyarrow.
    """
    if not path.is_file():
        raise DataError(f"{path} {'is a folder' if path.is_dir() else 'does not exist'}; give the path of a table")
    return _OPENERS[path.suffix.lower()](path, encoding)


def _text(path: Path, encoding: str | None) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    text = decode_text(content, where=str(path), encoding=encoding)
    if not text.strip():
        raise DataError(f"{path}: the file is empty; it needs rows")
    return text


def _chosen_cells(
    columns: Sequence[str], rows: Callable[[], Iterator[tuple[str, list[str], str]]]
) -> Callable[[Sequence[str], BadRows], Iterator[TableRow]]:
    """Return what chooses columns of rows: (place, cells, what is wrong)."""

    def chosen(names: Sequence[str], bad: BadRows) -> Iterator[TableRow]:
        indices = [columns.index(name) for name in names]
        for place, cells, problem in rows():
            if not problem and len(cells) != len(columns):
                problem = f"{len(cells)} columns instead of {len(columns)}"
            if problem:
                bad.add(place, problem)
            else:
                yield place, [cells[index] for index in indices]

    return chosen


def _open_tsv(path: Path, encoding: str | None) -> Table:
    (_, header), *lines = split_lines(_text(path, encoding))
    columns = column_names(header.split("\t"), where=str(path))
    rows = _chosen_cells(columns, lambda: ((f"line {number}", line.split("\t"), "") for number, line in lines))
    return Table(str(path), columns, rows)


def _open_csv(path: Path, encoding: str | None) -> Table:
    reader = CsvReader(io.StringIO(_text(path, encoding), newline=""), where=str(path))
    records = list(reader)
    rows = _chosen_cells(
        reader.columns, lambda: ((f"line {record.line}", record.cells, record.problem) for record in records)
    )
    return Table(str(path), reader.columns, rows, (f"{path}: {reader.note}",) if reader.note else ())


def _open_jsonl(path: Path, encoding: str | None) -> Table:
    lines = split_lines(_text(path, encoding))
    parsed = [(f"line {number}", *_json_object(line)) for number, line in lines if line.strip()]
    columns = tuple(dict.fromkeys(name for _, row, _ in parsed for name in row))
    if not columns:
        raise DataError(f"{path}, {parsed[0][0]}: {parsed[0][2] or 'no keys'}; each line must be one JSON object")

    def chosen(names: Sequence[str], bad: BadRows) -> Iterator[TableRow]:
        for place, row, problem in parsed:
            missing = [f'"{name}"' for name in names if name not in row]
            if problem or missing:
                bad.add(place, problem or f"no key {', '.join(missing)}")
            else:
                yield place, [row[name] for name in names]

    return Table(str(path), columns, chosen)


def _json_object(line: str) -> tuple[Mapping[str, Any], str]:
    """(object, what is wrong with it)."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        return {}, f"not JSON ({error})"
    if not isinstance(row, dict):
        return {}, f"a JSON {type(row).__name__} instead of an object of column names and values"
    return row, ""


def parquet_failures() -> tuple[type[Exception], ...]:
    """Return what pyarrow raises of a damaged file, and of values that Python cannot hold (bytes, dates)."""
    import pyarrow

    return (OSError, ValueError, OverflowError, pyarrow.ArrowException)


def _open_parquet(path: Path, encoding: str | None) -> Table:
    if encoding is not None:
        raise UsageError(f"--encoding {encoding} is for text files, but {path} is Parquet; leave it out")
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError("pyarrow", extra="tables", purpose=f"reading {path.name}") from error
    failures = parquet_failures()
    try:
        columns = tuple(pyarrow.parquet.read_schema(path).names)
    except failures as error:
        raise DataError(f"{path}: cannot be read as Parquet ({error!s:.200})") from error
    refuse_doubles(columns, where=str(path))

    def chosen(names: Sequence[str], bad: BadRows) -> Iterator[TableRow]:
        del bad
        try:
            table = pyarrow.parquet.read_table(path, columns=list(dict.fromkeys(names)))
            values = [table.column(name).to_pylist() for name in names]
        except failures as error:
            raise DataError(f"{path}: cannot be read as Parquet ({error!s:.200})") from error
        for number, row in enumerate(zip(*values, strict=True), start=1):
            yield f"row {number}", list(row)

    return Table(str(path), columns, chosen)


_OPENERS: Mapping[str, Callable[[Path, str | None], Table]] = {
    ".csv": _open_csv,
    ".tsv": _open_tsv,
    ".jsonl": _open_jsonl,
    ".parquet": _open_parquet,
}

TABLE_ENDINGS = tuple(_OPENERS)
"""Endings of the tables that can be read."""
