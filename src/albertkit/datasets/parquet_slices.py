"""Slices of the rows of a Parquet file; the quickest where they are read in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from albertkit.datasets.lines import Slice
from albertkit.errors import DataError
from albertkit.io.parquet import open_parquet, parquet_errors


class ParquetSlices:
    """Reads columns of a Parquet file slice by slice, and holds one batch at a time.

    Args:
        path: the file.
        columns: names of the columns to read.
        batch: rows that are decoded at a time.

    Raises:
        DataError: the file cannot be read, is damaged or is no Parquet.
        MissingExtraError: pyarrow is not installed.
    """

    def __init__(self, path: Path, columns: Sequence[str], *, batch: int) -> None:
        self.path, self.columns, self.batch = path, list(columns), batch
        self._file = open_parquet(path)
        self._batches: Iterator[Any] = iter(())
        self._row = 0
        self._left: Any = None  # what follows the last slice in its batch

    @property
    def rows(self) -> int:
        """Rows of the file."""
        return int(self._file.metadata.num_rows)

    def read(self, part: Slice) -> Any:
        """Return a `pyarrow.Table` of a slice.

        Raises:
            DataError: the file is damaged, or ends before the slice does.
        """
        import pyarrow

        with parquet_errors(self.path):
            if self._left is None or part.start < self._row:
                self._begin(part.start)
            taken: list[Any] = []
            missing = part.end - part.start
            while True:
                skipped = min(part.start - self._row, len(self._left)) if not taken else 0
                rows = self._left.slice(skipped, missing)
                if len(rows):
                    taken.append(rows)
                missing -= len(rows)
                self._row += skipped + len(rows)
                self._left = self._left.slice(skipped + len(rows))
                if not missing:
                    return pyarrow.Table.from_batches(taken, self._left.schema).combine_chunks()
                following = next(self._batches, None)
                if following is None:
                    raise DataError(f"{self.path}: ends before row {part.end}; it was changed while it was read")
                self._left = following

    def _begin(self, row: int) -> None:
        """Begin at the row group that holds a row."""
        import pyarrow

        metadata = self._file.metadata
        group = self._row = 0
        while group < metadata.num_row_groups and self._row + metadata.row_group(group).num_rows <= row:
            self._row += metadata.row_group(group).num_rows
            group += 1
        groups = list(range(group, metadata.num_row_groups))
        self._batches = self._file.iter_batches(batch_size=self.batch, row_groups=groups, columns=self.columns)
        schema = pyarrow.schema([self._file.schema_arrow.field(name) for name in self.columns])
        self._left = next(self._batches, pyarrow.RecordBatch.from_pylist([], schema))
