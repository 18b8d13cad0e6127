"""Write a table of any size piece by piece: .csv, .tsv, .parquet or .jsonl, by the ending of its name."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

from albertkit.errors import DataError
from albertkit.io.files import atomic_file, line_writer
from albertkit.io.parquet import ParquetWriter, import_parquet, json_text

WRITABLE = (".csv", ".tsv", ".parquet")
"""Endings of the tables that can be written."""
Write = Callable[[Mapping[str, Any]], None]
"""Takes name -> values of the next rows: sequences, NumPy or pyarrow arrays, under the same names in every call."""


@contextmanager
def open_table_writer(path: Path) -> Iterator[Write]:
    """Yield a function that appends rows to a new file; atomic at the end.

    CSV and TSV begin with the names of the columns. In them, and in the text columns of Parquet, what is no text is
    JSON, and a missing value is an empty cell.

    Args:
        path: ends in one of `WRITABLE`, or in .jsonl.

    Raises:
        DataError: a value that TSV cannot hold, or rows of CSV or TSV with other columns than the first.
        MissingExtraError: Parquet without pyarrow.
        WriteError: the system refused.
    """
    ending = path.suffix.lower()
    if ending == ".parquet":
        import_parquet(f"writing {path}")
        with atomic_file(path) as temporary:
            writer = ParquetWriter(temporary)
            with writer.closing():
                yield writer
                if writer.schema is None:
                    writer({})
        return
    if ending == ".jsonl":
        with line_writer(path) as write:

            def add_lines(columns: Mapping[str, Any]) -> None:
                for row in zip(*map(python_values, columns.values()), strict=True):
                    values = dict(zip(columns, map(json_value, row), strict=True))
                    write(json.dumps(values, ensure_ascii=False))

            yield add_lines
        return
    with atomic_file(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        names: list[str] | None = None

        def add(columns: Mapping[str, Any]) -> None:
            nonlocal names
            if names is not None and list(columns) != names:
                raise DataError(f"{path}: later rows have other columns than the first; write .jsonl instead")
            values = zip(*map(python_values, columns.values()), strict=True)
            rows: Iterable[list[str]] = ([json_text(json_value(value)) or "" for value in row] for row in values)
            rows = rows if names is not None else chain([list(columns)], rows)
            names = list(columns)
            if ending == ".csv":
                csv.writer(file, lineterminator="\n").writerows(rows)
            else:
                file.writelines(_tsv_line(row, path) for row in rows)

        yield add


def json_value(value: Any) -> Any:
    """Return a value as JSON has it: a number that is not finite is null, and a date or the like its text.

    >>> json_value(float("nan")), json_value([1, None]), json_value(b"a")
    (None, [1, None], "b'a'")
    """
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | int) else json.loads(json.dumps(value, default=str))


def python_values(values: Any) -> list[Any]:
    """Return the values of a sequence, an array or a column of another library (pyarrow, polars) as Python has them."""
    for method in ("to_pylist", "to_list", "tolist"):
        if hasattr(values, method):
            return list(getattr(values, method)())
    return list(values)


def _tsv_line(row: list[str], path: Path) -> str:
    for cell in row:
        if "\t" in cell or "\n" in cell or "\r" in cell:
            raise DataError(f"{path}: {cell[:40]!r} holds a tab or a line end, which .tsv cannot; write .csv instead")
    return "\t".join(row) + "\n"
