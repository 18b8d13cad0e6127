"""A file of texts in slices that can be read one without the others: where a file of any size is cut, its rows stay.

Lines and .jsonl are cut at line feeds, Parquet between rows. CSV and TSV are not: whether a line feed ends a row of
CSV is known only to who has read all before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from albertkit.datasets import text_stream
from albertkit.datasets.table import PAIR_COLUMNS
from albertkit.datasets.table_files import is_table, open_table, parquet_failures
from albertkit.datasets.text_stream import (
    Columns,
    Piece,
    Slice,
    choose_column,
    json_rows,
    json_texts,
    kept_columns,
    lines_of,
    require_file,
    require_lines,
    text_of,
)
from albertkit.errors import DataError


def columns_of(
    path: Path, *, text_column: str | None = None, pair_column: str | None = None, pairs: bool = False
) -> Columns | None:
    """Choose the columns of a .jsonl or .parquet file by its first row; None for a file of lines, which has none.

    Args:
        path: the file.
        text_column: as `text_pieces`.
        pair_column: with `pairs`, the column of second texts; found by its usual names if neither is given.
        pairs: whether texts and second texts are all that is wanted, instead of the text with all other columns.

    Raises:
        DataError: as `text_pieces`.
        MissingExtraError: Parquet without pyarrow.
    """
    require_file(path)
    if not is_table(path):
        require_lines(path)
        return None
    if path.suffix.lower() == ".parquet":
        columns: Sequence[str] = open_table(path).columns
    else:
        columns = list(next((row for _, row in json_rows(path)), ()))
        if not columns:
            raise DataError(f"{path}: the file is empty; it needs rows")
    if not pairs:
        text = choose_column(path, columns, text_column)
        return Columns(text, tuple(kept_columns(columns, text)))
    if text_column is None and pair_column is None:
        lower = {column.lower(): column for column in reversed(columns)}
        both = ((lower[a], lower[b]) for a, b in PAIR_COLUMNS if a in lower and b in lower)
        text_column, pair_column = next(both, (None, None))
    elif pair_column is not None:
        choose_column(path, columns, pair_column)
    singles = columns if text_column else [column for column in columns if column != pair_column]
    text = choose_column(path, singles, text_column)
    return Columns(text, () if pair_column is None else (pair_column,), pair_column)


def is_blank(line: bytes, *, number: int) -> bool:
    """Tell whether a line of .jsonl holds no row."""
    start = line.lstrip()[:1]
    return start != b"{" and not line.decode("utf-8-sig" if number == 1 else "utf-8", "replace").strip()


class SliceReader:
    """Reads slices of a .jsonl or .parquet file, or of lines; the quickest where they come in order.

    Args:
        path: the file.
        columns: what `columns_of` chose.
    """

    def __init__(self, path: Path, columns: Columns | None) -> None:
        self.path, self.columns = path, columns
        self._rows: Iterator[Any] = iter(())
        self._row = 0
        self._left: Any = None  # what follows the last slice in its batch

    def read(self, part: Slice) -> Piece:
        """Return the rows of a slice.

        Raises:
            DataError: the file cannot be read, or a row cannot be used.
            MissingExtraError: Parquet without pyarrow.
        """
        require_file(self.path)
        if self.columns is None:
            return Piece([line for _, line in lines_of(self.path, part=part)])
        if self.path.suffix.lower() == ".parquet":
            return self._parquet(part, self.columns)
        texts: list[str] = []
        others: dict[str, list[Any]] = {name: [] for name in self.columns.kept}
        for text, values in json_texts(self.path, self.columns, part=part):
            texts.append(text)
            for name, value in values.items():
                others[name].append(value)
        return Piece(texts, others)

    def _parquet(self, part: Slice, columns: Columns) -> Piece:
        open_table(self.path)  # whose errors are sentences
        import pyarrow
        import pyarrow.parquet

        try:
            if self._left is None or part.start < self._row:
                self._open(part.start, columns)
            batches: list[Any] = []
            missing = part.end - part.start
            while True:
                skipped = min(part.start - self._row, len(self._left)) if not batches else 0
                taken = self._left.slice(skipped, missing)
                if len(taken):
                    batches.append(taken)
                missing -= len(taken)
                self._row += skipped + len(taken)
                self._left = self._left.slice(skipped + len(taken))
                if not missing:
                    break
                self._left = next(self._rows)
            table = pyarrow.Table.from_batches(batches, self._left.schema).combine_chunks()
        except StopIteration:
            raise DataError(f"{self.path}: ends before row {part.end}; it was changed while it was read") from None
        except parquet_failures() as error:
            raise DataError(f"{self.path}: cannot be read as Parquet ({error!s:.200})") from error
        for name in dict.fromkeys((columns.text, columns.pair or columns.text)):
            for at, value in enumerate(table.column(name).to_pylist()):
                text_of(value, column=name, where=f"{self.path}, row {part.first + at}")
        texts = table.column(columns.text).to_pylist()
        others = {name: table.column(name) for name in columns.kept if name != columns.pair}
        return Piece(texts, others if columns.pair is None else {columns.pair: table.column(columns.pair).to_pylist()})

    def _open(self, row: int, columns: Columns) -> None:
        """Begin at the row group that holds a row."""
        import pyarrow.parquet

        file = pyarrow.parquet.ParquetFile(self.path)
        group = self._row = 0
        while group < file.num_row_groups and self._row + file.metadata.row_group(group).num_rows <= row:
            self._row += file.metadata.row_group(group).num_rows
            group += 1
        names = list(dict.fromkeys((columns.text, *columns.kept)))
        groups = list(range(group, file.num_row_groups))
        self._rows = file.iter_batches(batch_size=text_stream.ROWS, row_groups=groups, columns=names)
        schema = pyarrow.schema([file.schema_arrow.field(name) for name in names])
        self._left = next(self._rows, pyarrow.RecordBatch.from_pylist([], schema))
