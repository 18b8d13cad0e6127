"""Read texts from a file of any size, some thousand at a time: lines, or columns of a table; whole, or in slices.

    file --check--> number of texts, or every bad row in one sentence
    file --pieces--> some thousand texts each, with second texts and other columns
    file --slices--> where each piece is --read--> the same piece, on another machine if needed

Slices exist of lines, .jsonl and .parquet. CSV, TSV and .xlsx have none: whether a line feed ends a row of CSV is
known only after reading all rows before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from albertkit.data.columns import Columns, choose_texts
from albertkit.datasets.line_slices import slices_of_lines
from albertkit.datasets.lines import Slice, is_plain, lines_of, require_file
from albertkit.datasets.parquet_slices import ParquetSlices
from albertkit.datasets.rows import BadRows, RowWarnings, checked_text
from albertkit.datasets.table_files import CELL_ENDINGS, Table, is_table, open_table
from albertkit.errors import DataError, UsageError
from albertkit.io.parquet import parquet_errors

ROWS = 2048
"""Texts of a piece: enough to sort by length, and few enough to hold."""
CHARACTERS = 8_000_000
"""A piece of lines or of a text table ends after so many characters of text, whatever its number of rows."""


@dataclass(frozen=True)
class Piece:
    """Some rows of the file."""

    texts: list[str]
    pairs: list[str] | None = None
    """The second texts; None where there are none."""
    others: Mapping[str, Any] = field(default_factory=dict)
    """The table's other columns: lists of values as the file has them, or pyarrow arrays."""

    @property
    def inputs(self) -> list[str] | list[tuple[str, str]]:
        """The texts, or pairs of texts, as `Predictor.predict` takes them."""
        return self.texts if self.pairs is None else list(zip(self.texts, self.pairs, strict=True))


class Check(NamedTuple):
    """What one pass over a file found."""

    rows: int
    warnings: tuple[str, ...]


class _Row(NamedTuple):
    place: str
    text: str
    pair: str | None = None
    others: Sequence[Any] = ()


class TextFile:
    """Texts of a file, read from it each time they are asked for.

    Args:
        path: a table (.csv, .tsv, .jsonl, .parquet, .xlsx), or else a file of lines.
        columns: columns of a table, as `open_texts` chooses them.
        table: the open table, where there is one already.
        encoding: encoding of a text file; None uses the byte order mark, else UTF-8.
    """

    def __init__(
        self, path: Path, columns: Columns | None = None, *, table: Table | None = None, encoding: str | None = None
    ) -> None:
        self.path, self.columns, self.encoding = path, columns, encoding
        self._table = table
        self._parquet: ParquetSlices | None = None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was found out about a table, such as its delimiter."""
        return () if self._table is None else self._table.warnings

    def check(self) -> Check:
        """Read the whole file once, and say how many texts there are.

        Raises:
            UsageError: there is no such encoding.
            DataError: the file cannot be read, or rows cannot be used; the sentence names them.
        """
        empty, bad = RowWarnings(str(self.path)), self._bad_rows()
        count = 0
        for row in self._rows(bad):
            count += 1
            if self.columns is not None and not row.text.strip():
                empty.add("texts are empty", row.place)
        bad.close()
        return Check(count, (*self.warnings, *empty.close()))

    def pieces(self) -> Iterator[Piece]:
        """Yield the texts in order.

        Raises:
            UsageError, DataError: as `check`.
        """
        if self._is_parquet:
            for part, _ in self.slices():
                yield self.read(part)
            return
        rows: list[_Row] = []
        characters = 0
        bad = self._bad_rows()
        for row in self._rows(bad):
            rows.append(row)
            characters += len(row.text)
            if len(rows) == ROWS or characters >= CHARACTERS:
                bad.close()
                yield self._piece(rows)
                rows, characters = [], 0
        bad.close()
        if rows:
            yield self._piece(rows)

    def read(self, part: Slice) -> Piece:
        """Return the texts of a slice; the quickest where slices come in order.

        Raises:
            DataError: the file cannot be read, or a row cannot be used.
            MissingExtraError: Parquet without pyarrow.
        """
        require_file(self.path)
        bad = self._bad_rows()
        if self._is_parquet:
            return self._read_parquet(part, bad)
        piece = self._piece(list(self._rows(bad, part)))
        bad.close()
        return piece

    def columns_of(self, piece: Piece) -> dict[str, Any]:
        """Return the columns of a piece by their names, in the order of the file; lines are the column "text"."""
        if self.columns is None:
            return {"text": piece.texts}
        found = {self.columns.text: piece.texts, **piece.others}
        if self.columns.pair is not None:
            found[self.columns.pair] = piece.pairs
        return {name: found[name] for name in self._open_table().columns if name in found}

    def slices(self) -> Iterator[tuple[Slice, int]]:
        """Yield the location of each piece and its number of texts; reading the piece finds rows that cannot be used.

        Raises:
            DataError: the file cannot be read.
        """
        if self._is_parquet:
            total = self._slices_of_parquet().rows
            for start in range(0, total, ROWS):
                yield Slice(start, min(start + ROWS, total), start + 1), min(ROWS, total - start)
            return
        column = None if self.columns is None else self.columns.text
        yield from slices_of_lines(self.path, column=column, rows=ROWS, characters=CHARACTERS)

    @property
    def _is_parquet(self) -> bool:
        return self.columns is not None and self.path.suffix.lower() == ".parquet"

    def _bad_rows(self) -> BadRows:
        where = str(self.path) if self._table is None else self._table.where
        return BadRows(where, advice="repair the file")

    def _open_table(self) -> Table:
        self._table = self._table or open_table(self.path, encoding=self.encoding, every_key=False)
        return self._table

    def _rows(self, bad: BadRows, part: Slice | None = None) -> Iterator[_Row]:
        columns = self.columns
        if columns is None:
            for number, line in lines_of(self.path, encoding=self.encoding, part=part):
                yield _Row(f"line {number}", line)
            return
        names = [columns.text] if columns.pair is None else [columns.text, columns.pair]
        kept = [name for name in columns.kept if name != columns.pair and not self._is_parquet]
        for place, values in self._open_table().rows(names, bad, optional=kept, part=part):
            try:
                texts = [checked_text(value, column=name) for value, name in zip(values, names, strict=False)]
            except ValueError as error:
                bad.add(place, str(error))
                continue
            yield _Row(place, texts[0], texts[1] if len(texts) > 1 else None, values[len(names) :])

    def _piece(self, rows: list[_Row]) -> Piece:
        texts = [row.text for row in rows]
        if self.columns is None:
            return Piece(texts)
        names = [name for name in self.columns.kept if name != self.columns.pair]
        others = {name: [row.others[at] for row in rows] for at, name in enumerate(names)}
        pairs = None if self.columns.pair is None else [row.pair or "" for row in rows]
        return Piece(texts, pairs, others)

    def _slices_of_parquet(self) -> ParquetSlices:
        assert self.columns is not None
        if self._parquet is None:
            names = dict.fromkeys((self.columns.text, *self.columns.kept))
            self._parquet = ParquetSlices(self.path, list(names), batch=ROWS)
        return self._parquet

    def _read_parquet(self, part: Slice, bad: BadRows) -> Piece:
        columns = self.columns
        assert columns is not None
        table = self._slices_of_parquet().read(part)
        texts = self._checked(table, columns.text, part, bad)
        pairs = None if columns.pair is None else self._checked(table, columns.pair, part, bad)
        bad.close()
        return Piece(texts, pairs, {name: table.column(name) for name in columns.kept if name != columns.pair})

    def _checked(self, table: Any, column: str, part: Slice, bad: BadRows) -> list[str]:
        with parquet_errors(self.path):
            values: list[str] = table.column(column).to_pylist()
        for number, value in enumerate(values, part.first):
            try:
                checked_text(value, column=column)
            except ValueError as error:
                bad.add(f"row {number}", str(error))
        return values


def open_texts(
    path: Path,
    *,
    text_column: str | None = None,
    pair_column: str | None = None,
    trained: Mapping[str, str] | None = None,
    pairs: bool = False,
    others: bool | None = None,
    encoding: str | None = None,
) -> TextFile:
    """Open a file of texts, and choose the columns of a table by its header or first row.

    Args:
        path: a table (.csv, .tsv, .jsonl, .parquet, .xlsx), or else a file of lines.
        text_column: text column of a table; its usual names if None, of a table of pairs the first of the two.
        pair_column: with `pairs`, the column of second texts; found by its usual names if neither is given.
        trained: as `choose_texts`.
        pairs: whether second texts are read. Otherwise an other column that is called text or vector is left out: a
            file of vectors has its own.
        others: whether all other columns are read; if None, those that are not read as pairs. With `pairs`, the columns
            of JSONL are the keys of all its rows.
        encoding: encoding of a text file; None uses the byte order mark, else UTF-8.

    Raises:
        UsageError: there is no such encoding.
        DataError: the path is a folder or not there, the file is empty, holds JSON under another ending, or has no such
            column.
        MissingExtraError: Parquet without pyarrow, .xlsx without openpyxl.
    """
    require_file(path)
    if not is_table(path):
        require_lines(path)
        return TextFile(path, encoding=encoding)
    others = not pairs if others is None else others
    table = open_table(path, encoding=encoding, every_key=others and pairs)
    text, pair = choose_texts(
        table.columns, where=table.where, text_column=text_column, pair_column=pair_column, trained=trained
    )
    if not pairs:
        own, pair = (text, "text", "vector"), None
        kept = [name for name in table.columns if name and name not in own]
    elif others:  # one column may have no name: the index that pandas writes
        kept = [name for name in table.columns if name != text and table.columns.count(name) == 1]
    else:
        kept = [] if pair is None else [pair]
    columns = Columns(text, tuple(kept), pair)
    return TextFile(path, columns, table=table, encoding=encoding)


def require_lines(path: Path) -> None:
    """Refuse a file that holds JSON, by its ending, where one text per line is read.

    Raises:
        DataError: says what to do.
    """
    if path.suffix.lower() in (".json", ".ndjson"):
        raise DataError(
            f"{path}: texts come from a file with one text per line, or from a table (.csv .tsv .jsonl .parquet "
            ".xlsx); one JSON object per line goes into a .jsonl file"
        )


def require_sliceable(path: Path) -> None:
    """Refuse a file that cannot be cut into slices.

    Raises:
        UsageError: CSV, TSV, .xlsx, or lines that are not UTF-8 between line feeds.
    """
    if path.suffix.lower() in CELL_ENDINGS:
        raise UsageError(
            f"{path}: with --ray the input is .parquet, .jsonl or a file of lines; convert it, or leave --ray out"
        )
    if path.suffix.lower() != ".parquet" and path.is_file() and not is_plain(path):
        raise UsageError(
            f"{path}: with --ray the input is UTF-8 whose lines end at line feeds; convert it, or leave --ray out"
        )
