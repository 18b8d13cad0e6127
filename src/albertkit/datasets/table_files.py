"""Rows of a CSV, TSV, JSONL or Parquet file, by column name.

CSV follows RFC 4180 (quoted fields may hold commas and line feeds); in TSV, quotes are ordinary characters, as in GLUE.
"""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from albertkit.datasets.rows import BadRows, decode_text, split_lines
from albertkit.errors import DataError, MissingExtraError

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


def is_table(path: Path) -> bool:
    """Tell by its ending whether a file is a table.

    >>> is_table(Path("train.csv")), is_table(Path("notes.txt"))
    (True, False)
    """
    return path.suffix.lower() in _OPENERS


def open_table(path: Path) -> Table:
    """Open a table by the ending of its name.

    Raises:
        DataError: the file does not exist, is empty, is not UTF-8 or not what its ending says.
        MissingExtraError: Parquet without pyarrow.
    """
    if not path.is_file():
        raise DataError(f"{path} {'is a folder' if path.is_dir() else 'does not exist'}; give the path of a table")
    return _OPENERS[path.suffix.lower()](path)


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    text = decode_text(content, where=str(path))
    if not text.strip():
        raise DataError(f"{path}: the file is empty; it needs rows")
    return text


def _with_header(path: Path, columns: Sequence[str], rows: Callable[[], Iterator[tuple[str, list[str]]]]) -> Table:
    """Make a table of rows of cells below a row of names."""
    twice = sorted({f'"{column}"' for column in columns if columns.count(column) > 1})
    if twice:
        raise DataError(f"{path}, line 1: column {', '.join(twice)} is there more than once; rename all but one")

    def chosen(names: Sequence[str], bad: BadRows) -> Iterator[TableRow]:
        indices = [columns.index(name) for name in names]
        for place, cells in rows():
            if len(cells) == len(columns):
                yield place, [cells[index] for index in indices]
            else:
                bad.add(place, f"{len(cells)} columns instead of {len(columns)}")

    return Table(str(path), tuple(columns), chosen)


def _open_tsv(path: Path) -> Table:
    (_, header), *lines = split_lines(_text(path))
    return _with_header(
        path, header.split("\t"), lambda: ((f"line {number}", line.split("\t")) for number, line in lines)
    )


@contextmanager
def _large_fields() -> Iterator[None]:
    before = csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # a C long, which has 32 bits on Windows
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _open_csv(path: Path) -> Table:
    text = _text(path)
    broken: list[tuple[str, str]] = []
    rows: list[tuple[str, list[str]]] = []
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    with _large_fields():
        while True:
            place = f"line {reader.line_num + 1}"
            try:
                cells = next(reader)
            except StopIteration:
                break
            except csv.Error as error:
                broken.append((place, f"not CSV ({error}): a quote that is not closed, or not doubled inside quotes"))
            else:
                if cells:
                    rows.append((place, cells))
    if not rows or (broken and broken[0][0] == "line 1"):
        raise DataError(f"{path}, line 1: no row of column names; the first line must hold them")
    table = _with_header(path, rows[0][1], lambda: iter(rows[1:]))

    def with_broken(names: Sequence[str], bad: BadRows) -> Iterator[TableRow]:
        for place, problem in broken:
            bad.add(place, problem)
        yield from table.rows(names, bad)

    return Table(table.where, table.columns, with_broken)


def _open_jsonl(path: Path) -> Table:
    lines = split_lines(_text(path))
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


def _open_parquet(path: Path) -> Table:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError("pyarrow", extra="tables", purpose=f"reading {path.name}") from error
    failures = (OSError, ValueError, pyarrow.ArrowException)
    try:
        columns = tuple(pyarrow.parquet.read_schema(path).names)
    except failures as error:
        raise DataError(f"{path}: cannot be read as Parquet ({error!s:.200})") from error

    def chosen(names: Sequence[str], bad: BadRows) -> Iterator[TableRow]:
        del bad
        try:
            table = pyarrow.parquet.read_table(path, columns=list(names))
            values = [table.column(name).to_pylist() for name in names]
        except failures as error:
            raise DataError(f"{path}: cannot be read as Parquet ({error!s:.200})") from error
        for number, row in enumerate(zip(*values, strict=True), start=1):
            yield f"row {number}", list(row)

    return Table(str(path), columns, chosen)


_OPENERS: Mapping[str, Callable[[Path], Table]] = {
    ".csv": _open_csv,
    ".tsv": _open_tsv,
    ".jsonl": _open_jsonl,
    ".parquet": _open_parquet,
}

TABLE_ENDINGS = tuple(_OPENERS)
"""Endings of the tables that can be read."""
