"""Rows of a CSV, TSV, JSONL, Parquet or .xlsx file of any size, by column name; the one reader of tables.

CSV is read by `csv_files`; in TSV, quotes are ordinary characters, as in GLUE. Of a workbook, the first sheet is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from albertkit.data.columns import refuse_doubles
from albertkit.datasets.csv_files import CsvReader, CsvRecord, column_names, physical_lines
from albertkit.datasets.json_text import parse_object
from albertkit.datasets.lines import Slice, ended_lines, lines_of
from albertkit.datasets.rows import BadRows
from albertkit.errors import DataError, UsageError
from albertkit.io.counts import counted_noun
from albertkit.io.parquet import open_parquet, parquet_errors
from albertkit.io.xlsx import Sheet

TableRow = tuple[str, list[Any]]
"""(place such as "line 3", values in the order of the columns asked for)."""

_BATCH = 2048  # rows of Parquet that are taken at a time


class Rows(Protocol):
    """Reads the rows of a table from its file, each time it is called."""

    def __call__(
        self, names: Sequence[str], bad: BadRows, *, optional: Sequence[str] = (), part: Slice | None = None
    ) -> Iterator[TableRow]:
        """Yield the rows one by one.

        Args:
            names: columns whose values every row must have.
            bad: collects rows that cannot be used.
            optional: further columns; None where a row of JSONL lacks one.
            part: some rows of JSONL.

        Raises:
            DataError: the file cannot be read or is not of its encoding.
        """
        ...


@dataclass(frozen=True)
class Table:
    """A table whose rows are read when asked for."""

    where: str
    """The file, as a message names it."""
    columns: tuple[str, ...]
    """Names of the columns."""
    rows: Rows
    warnings: tuple[str, ...] = ()
    """One sentence for each thing that was found out about the file, such as its delimiter."""
    advice: str = "repair the file or pass --skip-bad-rows"
    """How the error about rows that cannot be used ends."""


def is_table(path: Path) -> bool:
    """Return whether a file is a table, by its ending.

    >>> is_table(Path("train.csv")), is_table(Path("notes.txt"))
    (True, False)
    """
    return path.suffix.lower() in _OPENERS


def open_table(path: Path | Table, *, encoding: str | None = None, every_key: bool = True) -> Table:
    """Open a table by the ending of its name.

    Args:
        path: the file; a table that is open is returned as it is.
        encoding: encoding of a text file; None uses the byte order mark, else UTF-8.
        every_key: whether the columns of JSONL are the keys of all its rows, for which the file is read once, or those
            of its first row.

    Raises:
        UsageError: there is no such encoding, or it is given for Parquet or .xlsx.
        DataError: the file does not exist, is empty, is not of its encoding or not what its ending says.
        MissingExtraError: Parquet without pyarrow, .xlsx without openpyxl.
    """
    if isinstance(path, Table):
        return path
    if not path.is_file():
        raise DataError(f"{path} {'is a folder' if path.is_dir() else 'does not exist'}; give the path of a table")
    ending = path.suffix.lower()
    if ending == ".jsonl":
        return _open_jsonl(path, encoding, every_key=every_key)
    return _OPENERS[ending](path, encoding)


def delimited_rows(
    columns: Sequence[str], records: Iterable[CsvRecord], names: Sequence[str], bad: BadRows
) -> Iterator[TableRow]:
    """Choose columns of records; what has another number of cells than there are columns is a bad row.

    Args:
        columns: names of all columns.
        records: the rows below the header.
        names: what is chosen.
        bad: collects rows that cannot be used.
    """
    places = {name: index for index, name in enumerate(columns)}
    indices = [places[name] for name in names]
    for record in records:
        problem = record.problem
        if not problem and len(record.cells) != len(columns):
            problem = f"{counted_noun(len(record.cells), 'column')} instead of {len(columns)}"
        if problem:
            bad.add(f"line {record.line}", problem)
        else:
            yield f"line {record.line}", [record.cells[index] for index in indices]


def _open_delimited(
    path: Path, columns: tuple[str, ...], records: Callable[[], Iterator[CsvRecord]], note: str
) -> Table:
    def rows(
        names: Sequence[str], bad: BadRows, *, optional: Sequence[str] = (), part: Slice | None = None
    ) -> Iterator[TableRow]:
        assert part is None
        return delimited_rows(columns, records(), [*names, *optional], bad)

    return Table(str(path), columns, rows, (f"{path}: {note}",) if note else ())


def _open_tsv(path: Path, encoding: str | None) -> Table:
    def records() -> Iterator[CsvRecord]:
        return (CsvRecord(number, line.split("\t")) for number, line in lines_of(path, encoding=encoding) if line)

    header = next(records(), None)
    if header is None or (not "".join(header.cells).strip() and _is_blank(path, encoding)):
        raise _empty(path)
    columns = column_names(header.cells, where=str(path))

    def below() -> Iterator[CsvRecord]:
        found = records()
        next(found, None)
        return found

    return _open_delimited(path, columns, below, "")


def _open_csv(path: Path, encoding: str | None) -> Table:
    def reader() -> CsvReader:
        return CsvReader(physical_lines(ended_lines(path, encoding=encoding)), where=str(path))

    if _is_blank(path, encoding):
        raise _empty(path)
    first = reader()
    return _open_delimited(path, first.columns, lambda: iter(reader()), first.note)


def _open_jsonl(path: Path, encoding: str | None, *, every_key: bool = True) -> Table:
    def parsed(part: Slice | None = None) -> Iterator[tuple[str, dict[str, Any], str]]:
        """Yield (place, object, what is wrong with it)."""
        for number, line in lines_of(path, encoding=encoding, part=part):
            if line.strip():
                try:
                    yield f"line {number}", parse_object(line), ""
                except ValueError as error:
                    yield f"line {number}", {}, str(error)

    columns: dict[str, None] = {}
    first = None
    for place, row, problem in parsed():
        first = first or (place, problem)
        columns.update(dict.fromkeys(row))
        if columns and not every_key:
            break
    if first is None:
        raise _empty(path)
    if not columns:
        raise DataError(f"{path}, {first[0]}: {first[1] or 'no keys'}; each line must be one JSON object")

    def rows(
        names: Sequence[str], bad: BadRows, *, optional: Sequence[str] = (), part: Slice | None = None
    ) -> Iterator[TableRow]:
        for place, row, problem in parsed(part):
            missing = [f'"{name}"' for name in names if name not in row]
            if problem or missing:
                bad.add(place, problem or f"no key {', '.join(missing)}")
            else:
                yield place, [*(row[name] for name in names), *(row.get(name) for name in optional)]

    return Table(str(path), tuple(columns), rows)


def _open_parquet(path: Path, encoding: str | None) -> Table:
    _refuse_encoding(path, encoding)
    columns = tuple(open_parquet(path).schema_arrow.names)
    refuse_doubles(columns, where=str(path))

    def rows(
        names: Sequence[str], bad: BadRows, *, optional: Sequence[str] = (), part: Slice | None = None
    ) -> Iterator[TableRow]:
        del bad
        assert part is None
        chosen = [*names, *optional]
        place = 1
        with parquet_errors(path):
            for batch in open_parquet(path).iter_batches(batch_size=_BATCH, columns=list(dict.fromkeys(chosen))):
                values = [batch.column(name).to_pylist() for name in chosen]
                for number, row in enumerate(zip(*values, strict=True), place):
                    yield f"row {number}", list(row)
                place += len(batch)

    return Table(str(path), columns, rows)


def _open_xlsx(path: Path, encoding: str | None) -> Table:
    _refuse_encoding(path, encoding)
    sheet = Sheet(path)
    where = f"{path}, sheet {sheet.name}"
    header = next(sheet.rows(), None)
    if header is None:
        other = f"; the sheet {sheet.others[0]} has: make it the first" if sheet.others else ""
        raise DataError(f"{where}: the first sheet has no rows{other}")
    if header.problems:
        raise DataError(f"{where}, row {header.number}: {next(iter(header.problems.values()))}")
    columns = column_names(header.cells, where=where, place=f"row {header.number}")

    def rows(
        names: Sequence[str], bad: BadRows, *, optional: Sequence[str] = (), part: Slice | None = None
    ) -> Iterator[TableRow]:
        assert part is None
        needed = {columns.index(name): name for name in names}
        indices = list(map(columns.index, (*names, *optional)))
        found = sheet.rows()
        next(found, None)
        for number, cells, problems in found:
            place = f"row {number}"
            wrong = next((index for index in needed if index in problems), None)
            if wrong is not None:
                bad.add(place, f'column "{needed[wrong]}": {problems[wrong]}')
            elif len(cells) > len(columns):
                named = f"row {header.number} names {counted_noun(len(columns), 'column')}"
                bad.add(place, f"a cell in column {len(cells)}, but {named}")
            else:
                cells += [""] * (len(columns) - len(cells))
                yield place, [cells[index] for index in indices]

    ignored = ", ".join(sheet.others)
    note = f"{path}: read the first sheet, {sheet.name}; not read: {ignored}"
    return Table(where, columns, rows, (note,) if ignored else ())


def _refuse_encoding(path: Path, encoding: str | None) -> None:
    if encoding is not None:
        what = "Parquet" if path.suffix.lower() == ".parquet" else "a workbook"
        raise UsageError(f"--encoding {encoding} is for text files, but {path} is {what}; leave it out")


def _is_blank(path: Path, encoding: str | None) -> bool:
    return not any(line.strip() for _, line in lines_of(path, encoding=encoding))


def _empty(path: Path) -> DataError:
    return DataError(f"{path}: the file is empty; it needs rows")


_OPENERS: Mapping[str, Callable[[Path, str | None], Table]] = {
    ".csv": _open_csv,
    ".tsv": _open_tsv,
    ".jsonl": _open_jsonl,
    ".parquet": _open_parquet,
    ".xlsx": _open_xlsx,
}

TABLE_ENDINGS = tuple(_OPENERS)
"""Endings of the tables that can be read."""
CELL_ENDINGS = (".csv", ".tsv", ".xlsx")
"""Endings of the tables whose cells are all texts; where a row begins is known only after reading those before it."""
