"""Texts of a file of any size, some thousand at a time: lines, or a column of a table, with the table's other columns.

`open_data` reads a table whole, to check it before anything is done with it; here a row that cannot be used is
told when it is reached.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from albertkit.datasets.rows import checked_text
from albertkit.datasets.table import PAIR_COLUMNS, TEXT_COLUMNS
from albertkit.datasets.table_files import is_table, open_table
from albertkit.errors import DataError, did_you_mean

ROWS = 2048
"""Texts of a piece: enough to sort by length, and few enough to hold."""
CHARACTERS = 8_000_000
"""A piece ends at so many characters of text, whatever its number of rows."""

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Columns:
    """Which columns of a table are read."""

    text: str
    kept: tuple[str, ...] = ()
    """The other columns of the pieces."""
    pair: str | None = None
    """That of `kept` which holds second texts, and so is checked as the first."""


@dataclass(frozen=True)
class Slice:
    """Some rows of a file that follow each other: what is read anew without what stands before."""

    start: int
    """Byte, or row from 0 of Parquet."""
    end: int
    """Byte or row behind the last."""
    first: int = 1
    """Number of the first line, or row of Parquet, from 1."""


@dataclass(frozen=True)
class Piece:
    """Some rows of the file."""

    texts: list[str]
    others: Values = field(default_factory=dict)
    """The table's other columns: lists of texts (or None), or pyarrow arrays."""


def count_rows(path: Path) -> int:
    """Return how many rows a file has, for a bar: of Parquet exactly, of others the number of its lines.

    Raises:
        DataError: the file is not there or cannot be read.
        MissingExtraError: Parquet without pyarrow.
    """
    require_file(path)
    if path.suffix.lower() == ".parquet":
        open_table(path)  # whose errors are sentences
        import pyarrow.parquet

        return int(pyarrow.parquet.ParquetFile(path).metadata.num_rows)
    lines, last = 0, b"\n"
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                lines, last = lines + block.count(b"\n"), block[-1:]
    except OSError as error:
        raise _unreadable(path, error) from error
    return lines + (last != b"\n")


def text_pieces(path: Path, *, text_column: str | None = None) -> Iterator[Piece]:
    r"""Give the texts of a file in order: its lines (which end at `\n` alone), or a column of a table.

    Args:
        path: a table (.csv, .tsv, .jsonl, .parquet), or else a file of lines.
        text_column: of a table; its usual names if None, of a table of pairs the first of the two.

    Yields:
        Pieces. The other columns of .jsonl are the further keys of its first row, what is no text as JSON. A column
        that is called text or vector, but is not the text, is left out: a file of vectors has its own.

    Raises:
        DataError: the file is not there or not UTF-8, has no such column, or a row cannot be used; with file and line.
        MissingExtraError: Parquet without pyarrow.
    """
    require_file(path)
    if not is_table(path):
        yield from _pieces((line, {}) for _, line in lines_of(path))
        return
    if not path.stat().st_size:
        raise DataError(f"{path}: the file is empty; it needs rows")
    ending = path.suffix.lower()
    if ending == ".parquet":
        yield from _parquet(path, text_column)
    else:
        yield from _pieces(_ROWS_OF[ending](path, text_column))


def require_file(path: Path) -> None:
    if not path.is_file():
        raise DataError(f"{path}: there is no such file")


def _pieces(rows: Iterator[tuple[str, Values]]) -> Iterator[Piece]:
    texts: list[str] = []
    others: dict[str, list[Any]] = {}
    characters = 0
    for text, values in rows:
        texts.append(text)
        for name, value in values.items():
            others.setdefault(name, []).append(value)
        characters += len(text)
        if len(texts) == ROWS or characters >= CHARACTERS:
            yield Piece(texts, others)
            texts, others, characters = [], {}, 0
    if texts:
        yield Piece(texts, others)


def _unreadable(path: Path, error: OSError) -> DataError:
    return DataError(f"{path}: cannot be read ({error.strerror or error})")


def lines_of(path: Path, encoding: str = "utf-8", part: Slice | None = None) -> Iterator[tuple[int, str]]:
    r"""Lines with their numbers, without the `\n` that ends them."""
    try:
        with path.open("rb") as file:
            left = math.inf if part is None else part.end - file.seek(part.start)
            for number, line in enumerate(file, 1 if part is None else part.first):
                if left <= 0:
                    return
                left -= len(line)
                try:
                    yield number, line.decode(encoding if number == 1 else "utf-8").removesuffix("\n")
                except UnicodeDecodeError as error:
                    reason = f"not UTF-8 ({error.reason}); save the file as UTF-8"
                    raise DataError(f"{path}, line {number}: {reason}") from error
    except OSError as error:
        raise _unreadable(path, error) from error


def choose_column(path: Path, columns: Sequence[str], text_column: str | None) -> str:
    there = f"there are: {', '.join(f'{column:.40}' for column in columns) or 'none'}"
    if text_column is not None:
        if text_column not in columns:
            nearest = did_you_mean(text_column, columns)
            raise DataError(f'{path}: no column "{text_column}" for the text ({there}){nearest}')
        return text_column
    lower = {column.lower(): column for column in reversed(columns)}
    names = [first for first, second in PAIR_COLUMNS if first in lower and second in lower]
    names += [name for name in TEXT_COLUMNS if name in lower]
    if not names:
        raise DataError(
            f"{path}: no column for the text ({there}; looked for {', '.join(TEXT_COLUMNS)}); give --text-column"
        )
    return lower[names[0]]


def kept_columns(columns: Sequence[str], text: str) -> list[str]:
    """The other columns; those whose names the file of vectors needs itself cannot stay."""
    return [column for column in columns if column not in (text, "text", "vector")]


def text_of(value: object, *, column: str, where: str) -> str:
    try:
        return checked_text(value, column=column)
    except ValueError as error:
        raise DataError(f"{where}: {error}; repair the file") from error


def _cells(
    path: Path, header: Sequence[str], rows: Iterator[tuple[int, list[str]]], text_column: str | None
) -> Iterator[tuple[str, Values]]:
    twice = sorted({f'"{column}"' for column in header if header.count(column) > 1})
    if twice:
        raise DataError(f"{path}, line 1: column {', '.join(twice)} is there more than once; rename all but one")
    text = choose_column(path, header, text_column)
    kept = kept_columns(header, text)
    for number, cells in rows:
        if len(cells) != len(header):
            raise DataError(f"{path}, line {number}: {len(cells)} columns instead of {len(header)}; repair the file")
        row = dict(zip(header, cells, strict=True))
        yield row[text], {name: row[name] for name in kept}


def _tsv(path: Path, text_column: str | None) -> Iterator[tuple[str, Values]]:
    lines = ((number, line.removesuffix("\r")) for number, line in lines_of(path, "utf-8-sig"))
    cells = ((number, line.split("\t")) for number, line in lines if line)
    _, header = next(cells, (1, []))
    yield from _cells(path, header, cells, text_column)


def _csv(path: Path, text_column: str | None) -> Iterator[tuple[str, Values]]:
    before = csv.field_size_limit(2**31 - 1)
    reader = csv.reader((f"{line}\n" for _, line in lines_of(path, "utf-8-sig")), strict=True)

    def rows() -> Iterator[tuple[int, list[str]]]:
        while True:
            number = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                problem = "a quote that is not closed, or not doubled inside quotes"
                raise DataError(f"{path}, line {number}: not CSV ({error}): {problem}; repair the file") from error
            if cells:
                yield number, cells

    try:
        read = rows()
        _, header = next(read, (1, []))
        yield from _cells(path, header, read, text_column)
    finally:
        csv.field_size_limit(before)


def _jsonl(path: Path, text_column: str | None) -> Iterator[tuple[str, Values]]:
    yield from json_texts(path, None, text_column=text_column)


def json_texts(
    path: Path, columns: Columns | None, *, text_column: str | None = None, part: Slice | None = None
) -> Iterator[tuple[str, Values]]:
    for where, row in json_rows(path, part):
        if columns is None:  # by the first row
            text = choose_column(path, list(row), text_column)
            columns = Columns(text, tuple(kept_columns(list(row), text)))
        if columns.text not in row:
            raise DataError(f'{where}: no key "{columns.text}"; repair the file')
        values = {name: _json_text(row.get(name)) for name in columns.kept}
        if columns.pair is not None:
            values[columns.pair] = text_of(row.get(columns.pair), column=columns.pair, where=where)
        yield text_of(row[columns.text], column=columns.text, where=where), values


def json_rows(path: Path, part: Slice | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
    """(place, object) of every line that is not blank."""
    for number, line in lines_of(path, "utf-8-sig", part):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{where}: not JSON ({error}); repair the file") from error
        if not isinstance(row, dict):
            raise DataError(f"{where}: a JSON {type(row).__name__} instead of an object of column names and values")
        yield where, row


def _json_text(value: object) -> str | None:
    """A text as it is, anything else as JSON: one column, one type."""
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _parquet(path: Path, text_column: str | None) -> Iterator[Piece]:
    columns = open_table(path).columns  # whose errors are sentences
    import pyarrow
    import pyarrow.parquet

    text = choose_column(path, columns, text_column)
    kept = kept_columns(columns, text)
    row = 1
    try:
        file = pyarrow.parquet.ParquetFile(path)
        for batch in file.iter_batches(batch_size=ROWS, columns=[text, *kept]):
            values = batch.column(text).to_pylist()
            texts = [text_of(value, column=text, where=f"{path}, row {row + at}") for at, value in enumerate(values)]
            yield Piece(texts, {name: batch.column(name) for name in kept})
            row += len(texts)
    except (OSError, pyarrow.ArrowException) as error:
        raise DataError(f"{path}: cannot be read as Parquet ({error!s:.200})") from error


_ROWS_OF: Mapping[str, Callable[[Path, str | None], Iterator[tuple[str, Values]]]] = {
    ".csv": _csv,
    ".tsv": _tsv,
    ".jsonl": _jsonl,
}
