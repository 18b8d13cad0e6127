"""Texts of a file of any size, some thousand at a time: lines, or a column of a table, with the table's other columns.

`open_data` reads a table whole, to check it before anything is done with it; here a row that cannot be used is
told when it is reached.
"""

from __future__ import annotations

import csv
import json
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
    _require_file(path)
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
    _require_file(path)
    if not is_table(path):
        yield from _pieces((line, {}) for _, line in _lines(path))
        return
    if not path.stat().st_size:
        raise DataError(f"{path}: the file is empty; it needs rows")
    ending = path.suffix.lower()
    if ending == ".parquet":
        yield from _parquet(path, text_column)
    else:
        yield from _pieces(_ROWS_OF[ending](path, text_column))


def _require_file(path: Path) -> None:
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


def _lines(path: Path, encoding: str = "utf-8") -> Iterator[tuple[int, str]]:
    r"""Lines with their numbers, without the `\n` that ends them."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    yield number, line.decode(encoding if number == 1 else "utf-8").removesuffix("\n")
                except UnicodeDecodeError as error:
                    reason = f"not UTF-8 ({error.reason}); save the file as UTF-8"
                    raise DataError(f"{path}, line {number}: {reason}") from error
    except OSError as error:
        raise _unreadable(path, error) from error


def _choose(path: Path, columns: Sequence[str], text_column: str | None) -> str:
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


def _kept(columns: Sequence[str], text: str) -> list[str]:
    """The other columns; those whose names the file of vectors needs itself cannot stay."""
    return [column for column in columns if column not in (text, "text", "vector")]


def _text(value: object, *, column: str, where: str) -> str:
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
    text = _choose(path, header, text_column)
    kept = _kept(header, text)
    for number, cells in rows:
        if len(cells) != len(header):
            raise DataError(f"{path}, line {number}: {len(cells)} columns instead of {len(header)}; repair the file")
        row = dict(zip(header, cells, strict=True))
        yield row[text], {name: row[name] for name in kept}


def _tsv(path: Path, text_column: str | None) -> Iterator[tuple[str, Values]]:
    lines = ((number, line.removesuffix("\r")) for number, line in _lines(path, "utf-8-sig"))
    cells = ((number, line.split("\t")) for number, line in lines if line)
    _, header = next(cells, (1, []))
    yield from _cells(path, header, cells, text_column)


def _csv(path: Path, text_column: str | None) -> Iterator[tuple[str, Values]]:
    before = csv.field_size_limit(2**31 - 1)
    reader = csv.reader((f"{line}\n" for _, line in _lines(path, "utf-8-sig")), strict=True)

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
    text, kept = "", [""]
    for number, line in _lines(path, "utf-8-sig"):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{where}: not JSON ({error}); repair the file") from error
        if not isinstance(row, dict):
            raise DataError(f"{where}: a JSON {type(row).__name__} instead of an object of column names and values")
        if not text:
            text = _choose(path, list(row), text_column)
            kept = _kept(list(row), text)
        if text not in row:
            raise DataError(f'{where}: no key "{text}"; repair the file')
        yield _text(row[text], column=text, where=where), {name: _json_text(row.get(name)) for name in kept}


def _json_text(value: object) -> str | None:
    """A text as it is, anything else as JSON: one column, one type."""
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _parquet(path: Path, text_column: str | None) -> Iterator[Piece]:
    columns = open_table(path).columns  # whose errors are sentences
    import pyarrow
    import pyarrow.parquet

    text = _choose(path, columns, text_column)
    kept = _kept(columns, text)
    row = 1
    try:
        file = pyarrow.parquet.ParquetFile(path)
        for batch in file.iter_batches(batch_size=ROWS, columns=[text, *kept]):
            values = batch.column(text).to_pylist()
            texts = [_text(value, column=text, where=f"{path}, row {row + at}") for at, value in enumerate(values)]
            yield Piece(texts, {name: batch.column(name) for name in kept})
            row += len(texts)
    except (OSError, pyarrow.ArrowException) as error:
        raise DataError(f"{path}: cannot be read as Parquet ({error!s:.200})") from error


_ROWS_OF: Mapping[str, Callable[[Path, str | None], Iterator[tuple[str, Values]]]] = {
    ".csv": _csv,
    ".tsv": _tsv,
    ".jsonl": _jsonl,
}
