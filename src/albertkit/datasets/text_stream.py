"""Texts of a file of any size, some thousand at a time: lines, or a column of a table, with the table's other columns.

`open_data` reads a table whole, to check it before anything is done with it; here a row that cannot be used is
told when it is reached.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

from albertkit.datasets.csv_files import CsvReader, CsvRecord, column_names, named, physical_lines
from albertkit.datasets.rows import checked_text
from albertkit.datasets.table import PAIR_COLUMNS, TEXT_COLUMNS
from albertkit.datasets.table_files import is_table, open_table, parquet_failures
from albertkit.errors import DataError, did_you_mean
from albertkit.io.decoding import BLOCK, TextForm, bare, file_blocks, text_form, text_lines

ROWS = 2048
"""Texts of a piece: enough to sort by length, and few enough to hold."""
CHARACTERS = 8_000_000
"""A piece ends at so many characters of text, whatever its number of rows."""

Values = Mapping[str, Any]


class DataWarning(UserWarning):
    """A file was read in a way that its user may want to know of."""


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


def count_rows(path: Path, *, encoding: str | None = None) -> int:
    """Return how many rows a file has, for a bar: of Parquet exactly, of others the number of its lines.

    Raises:
        UsageError: there is no such encoding.
        DataError: the file is not there or cannot be read.
        MissingExtraError: Parquet without pyarrow.
    """
    require_file(path)
    if path.suffix.lower() == ".parquet":
        open_table(path, encoding=encoding)  # whose errors are sentences
        import pyarrow.parquet

        return int(pyarrow.parquet.ParquetFile(path).metadata.num_rows)
    if not is_plain(path, encoding=encoding):
        return sum(1 for _ in lines_of(path, encoding=encoding))
    lines, last = 0, b"\n"
    try:
        with path.open("rb") as file:
            for block in file_blocks(file):
                lines, last = lines + block.count(b"\n"), block[-1:]
    except OSError as error:
        raise _unreadable(path, error) from error
    return lines + (last != b"\n")


def is_plain(path: Path, *, encoding: str | None = None) -> bool:
    """Tell whether the lines are UTF-8 between line feeds, so that bytes can be counted and cut.

    Raises:
        UsageError, DataError: as `text_pieces`.
    """
    form = _form(path, encoding)
    return form.encoding == "utf-8" and not form.ends_at_cr


def _form(path: Path, encoding: str | None) -> TextForm:
    try:
        with path.open("rb") as file:
            return text_form(next(file_blocks(file), b""), encoding=encoding, where=str(path))
    except OSError as error:
        raise _unreadable(path, error) from error


def text_pieces(path: Path, *, text_column: str | None = None, encoding: str | None = None) -> Iterator[Piece]:
    r"""Give the texts of a file in order: its lines, or a column of a table.

    Lines end at `\n` or `\r\n`; at `\r` in a file that has no `\n`. What is found out about a table, such as its
    delimiter, is warned of.

    Args:
        path: a table (.csv, .tsv, .jsonl, .parquet), or else a file of lines.
        text_column: of a table; its usual names if None, of a table of pairs the first of the two.
        encoding: of a text file; its byte order mark says it, else it is UTF-8, if None.

    Yields:
        Pieces. The other columns of .jsonl are the further keys of its first row, what is no text as JSON. A column
        that is called text or vector, but is not the text, is left out: a file of vectors has its own.

    Raises:
        UsageError: there is no such encoding.
        DataError: the file is not there or not of its encoding, has no such column, or a row cannot be used; with file
            and line.
        MissingExtraError: Parquet without pyarrow.
    """
    require_file(path)
    if not is_table(path):
        require_lines(path)
        yield from _pieces((line, {}) for _, line in lines_of(path, encoding=encoding))
        return
    if not path.stat().st_size:
        raise DataError(f"{path}: the file is empty; it needs rows")
    ending = path.suffix.lower()
    if ending == ".parquet":
        yield from _parquet(path, text_column, encoding)
    else:
        yield from _pieces(_ROWS_OF[ending](path, text_column, encoding))


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


def require_lines(path: Path) -> None:
    """Refuse a file that holds JSON, by its ending, where one text per line is read.

    Raises:
        DataError: says what to do.
    """
    if path.suffix.lower() in (".json", ".ndjson"):
        raise DataError(
            f"{path}: texts come from a file with one text per line, or from a table (.csv .tsv .jsonl .parquet); "
            "one JSON object per line goes into a .jsonl file"
        )


def lines_of(path: Path, *, encoding: str | None = None, part: Slice | None = None) -> Iterator[tuple[int, str]]:
    """Give the lines with their numbers, without what ends them.

    Args:
        path: the file.
        encoding: see `text_pieces`.
        part: some lines of a file that `is_plain`.

    Raises:
        UsageError, DataError: as `text_pieces`.
    """
    form = _form(path, encoding)
    try:
        with path.open("rb") as file:
            blocks = file_blocks(file)
            if part is not None:
                file.seek(part.start)
                blocks = _part_blocks(file, part.end - part.start)
                form = form if part.start == 0 else replace(form, mark=0)
            first = 1 if part is None else part.first
            lines = text_lines(blocks, where=str(path), encoding=encoding, form=form, first_line=first)
            for number, line in enumerate(lines, first):
                yield number, bare(line)
    except OSError as error:
        raise _unreadable(path, error) from error


def _part_blocks(file: BinaryIO, size: int) -> Iterator[bytes]:
    while size > 0 and (block := file.read(min(BLOCK, size))):
        size -= len(block)
        yield block


def choose_column(path: Path, columns: Sequence[str], text_column: str | None) -> str:
    there = f"there are: {named(columns)}"
    if text_column is not None:
        if not text_column or text_column not in columns:
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
    path: Path, columns: Sequence[str], rows: Iterator[CsvRecord], text_column: str | None
) -> Iterator[tuple[str, Values]]:
    text = choose_column(path, columns, text_column)
    places = {name: index for index, name in enumerate(columns) if name}
    at = places[text]
    kept = {name: places[name] for name in kept_columns(columns, text) if name}
    for row in rows:
        problem = row.problem
        if not problem and len(row.cells) != len(columns):
            problem = f"{len(row.cells)} columns instead of {len(columns)}"
        if problem:
            raise DataError(f"{path}, line {row.line}: {problem}; repair the file")
        yield row.cells[at], {name: row.cells[index] for name, index in kept.items()}


def _tsv(path: Path, text_column: str | None, encoding: str | None) -> Iterator[tuple[str, Values]]:
    records = (CsvRecord(number, line.split("\t")) for number, line in lines_of(path, encoding=encoding) if line)
    header = next(records, CsvRecord(1, []))
    yield from _cells(path, column_names(header.cells, where=str(path)), records, text_column)


def _csv(path: Path, text_column: str | None, encoding: str | None) -> Iterator[tuple[str, Values]]:
    try:
        with path.open("rb") as file:
            lines = text_lines(file_blocks(file), where=str(path), encoding=encoding)
            reader = CsvReader(physical_lines(lines), where=str(path))
            if reader.note:
                warnings.warn(f"{path}: {reader.note}", DataWarning, stacklevel=2)
            yield from _cells(path, reader.columns, iter(reader), text_column)
    except OSError as error:
        raise _unreadable(path, error) from error


def _jsonl(path: Path, text_column: str | None, encoding: str | None) -> Iterator[tuple[str, Values]]:
    yield from json_texts(path, None, text_column=text_column, encoding=encoding)


def json_texts(
    path: Path,
    columns: Columns | None,
    *,
    text_column: str | None = None,
    encoding: str | None = None,
    part: Slice | None = None,
) -> Iterator[tuple[str, Values]]:
    for where, row in json_rows(path, encoding=encoding, part=part):
        if columns is None:  # by the first row
            text = choose_column(path, list(row), text_column)
            columns = Columns(text, tuple(kept_columns(list(row), text)))
        if columns.text not in row:
            raise DataError(f'{where}: no key "{columns.text}"; repair the file')
        values = {name: _json_text(row.get(name)) for name in columns.kept}
        if columns.pair is not None:
            values[columns.pair] = text_of(row.get(columns.pair), column=columns.pair, where=where)
        yield text_of(row[columns.text], column=columns.text, where=where), values


def json_rows(
    path: Path, *, encoding: str | None = None, part: Slice | None = None
) -> Iterator[tuple[str, dict[str, Any]]]:
    """(place, object) of every line that is not blank."""
    for number, line in lines_of(path, encoding=encoding, part=part):
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


def _parquet(path: Path, text_column: str | None, encoding: str | None) -> Iterator[Piece]:
    columns = open_table(path, encoding=encoding).columns  # whose errors are sentences
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
    except parquet_failures() as error:
        raise DataError(f"{path}: cannot be read as Parquet ({error!s:.200})") from error


_ROWS_OF: Mapping[str, Callable[[Path, str | None, str | None], Iterator[tuple[str, Values]]]] = {
    ".csv": _csv,
    ".tsv": _tsv,
    ".jsonl": _jsonl,
}
