"""Cut a file into slices of the same rows as the pieces of `albertkit.datasets.text_stream`, without holding it.

Texts of a piece share forward passes, and what shares a pass has an influence on the last digits of a vector: with the
same pieces, one process and many give the same file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from albertkit.datasets import text_stream
from albertkit.datasets.table_files import is_table
from albertkit.datasets.text_slices import is_blank
from albertkit.datasets.text_stream import Columns, Slice
from albertkit.errors import DataError, UsageError
from albertkit.io.decoding import bare


@dataclass(frozen=True)
class Part:
    """A slice of the input that becomes one file of the output."""

    number: int
    """From 0, in the order of the input."""
    slice: Slice
    rows: int

    def name(self, ending: str) -> str:
        """Return the file's name, which sorts as the number does.

        >>> Part(12, Slice(0, 9), 2).name(".parquet")
        'part-00000012.parquet'
        """
        return f"part-{self.number:08}{ending}"


def require_sliceable(path: Path) -> None:
    """Refuse a file that cannot be cut.

    Raises:
        UsageError: CSV, TSV, or lines that are not UTF-8 between line feeds.
    """
    if path.suffix.lower() in (".csv", ".tsv"):
        raise UsageError(
            f"{path}: with --ray the input is .parquet, .jsonl or a file of lines; convert it, or leave --ray out"
        )
    if path.suffix.lower() != ".parquet" and path.is_file() and not text_stream.is_plain(path):
        raise UsageError(
            f"{path}: with --ray the input is UTF-8 whose lines end at line feeds; convert it, or leave --ray out"
        )


def cut(path: Path, columns: Columns | None) -> list[Part]:
    """Cut a file into parts; an empty file of lines, or a table without rows, is one part without rows.

    Args:
        path: a .jsonl or .parquet file, or lines.
        columns: what `columns_of` chose.

    Raises:
        UsageError: CSV or TSV.
        DataError: the file is not there or cannot be read.
    """
    require_sliceable(path)
    if path.suffix.lower() == ".parquet":
        total = text_stream.count_rows(path)
        starts = range(0, total, text_stream.ROWS)
        found = [
            (Slice(start, min(start + text_stream.ROWS, total), start + 1), min(text_stream.ROWS, total - start))
            for start in starts
        ]
    else:
        text_stream.require_file(path)
        try:
            with path.open("rb") as file:
                found = list(_cut_lines(file, columns if is_table(path) else None))
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    return [Part(number, *each) for number, each in enumerate(found or [(Slice(0, 0), 0)])]


def _cut_lines(file: BinaryIO, columns: Columns | None) -> Iterator[tuple[Slice, int]]:
    start = end = rows = 0
    first = number = 1
    size = 0  # bytes of the piece; a character has one at least, so few bytes need no counting
    characters: int | None = None
    for line in file:
        end += len(line)
        number += 1
        if columns is not None and is_blank(line, number=number - 1):
            continue
        rows += 1
        size += len(line)
        if characters is not None:
            characters += _characters(line, columns)
        elif size >= text_stream.CHARACTERS:
            characters = _recount(file.name, Slice(start, end, first), columns)
        if rows == text_stream.ROWS or (characters or 0) >= text_stream.CHARACTERS:
            yield Slice(start, end, first), rows
            start, first, rows, size, characters = end, number, 0, 0, None
    if rows:
        yield Slice(start, end, first), rows


def _recount(path: str, part: Slice, columns: Columns | None) -> int:
    """Count the characters of a piece's texts up to here; read again, so that none is held meanwhile."""
    count, left = 0, part.end - part.start
    with open(path, "rb") as file:
        file.seek(part.start)
        for line in file:
            if columns is None or not is_blank(line, number=0):
                count += _characters(line, columns)
            left -= len(line)
            if left <= 0:
                break
    return count


def _characters(line: bytes, columns: Columns | None) -> int:
    """Characters of a row's text; 0 of a row that cannot be used, which is told by who reads it."""
    try:
        if columns is None:
            return len(bare(line.decode()))
        return len(json.loads(line.decode("utf-8-sig"))[columns.text])
    except (ValueError, TypeError, KeyError, RecursionError):
        return 0
