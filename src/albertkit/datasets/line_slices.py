"""Slices of a file of lines or of JSON lines: byte ranges of some thousand texts; no text is held meanwhile."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from albertkit.datasets.lines import Slice, read_errors, require_file
from albertkit.io.decoding import bare


def slices_of_lines(path: Path, *, column: str | None, rows: int, characters: int) -> Iterator[tuple[Slice, int]]:
    """Yield where each piece of a file is, and its number of texts.

    Args:
        path: the file, UTF-8.
        column: the key of the text in JSON lines; None where each line is a text.
        rows: texts of a piece at most.
        characters: a piece ends after so many characters of text, whatever its number of rows.

    Raises:
        DataError: the file cannot be read.
    """
    require_file(path)
    with read_errors(path):
        yield from _Cutter(path, column).pieces(rows=rows, characters=characters)


class _Cutter:
    def __init__(self, path: Path, column: str | None) -> None:
        self.path, self.column = path, column

    def pieces(self, *, rows: int, characters: int) -> Iterator[tuple[Slice, int]]:
        start = end = found = 0
        first = number = 1
        size = 0  # bytes of the piece; a character has one at least, so few bytes need no counting
        counted: int | None = None
        with self.path.open("rb") as file:
            for line in file:
                end += len(line)
                number += 1
                if self._is_blank(line, first=number == 2):
                    continue
                found += 1
                size += len(line)
                if counted is not None:
                    counted += self._characters(line)
                elif size >= characters:
                    counted = self._recount(Slice(start, end, first))
                if found == rows or (counted or 0) >= characters:
                    yield Slice(start, end, first), found
                    start, first, found, size, counted = end, number, 0, 0, None
        if found:
            yield Slice(start, end, first), found

    def _is_blank(self, line: bytes, *, first: bool) -> bool:
        """Return whether a line of .jsonl holds no row."""
        if self.column is None or line.lstrip()[:1] == b"{":
            return False
        return not line.decode("utf-8-sig" if first else "utf-8", "replace").strip()

    def _recount(self, part: Slice) -> int:
        """Count the characters of a piece's texts up to here; read again, so that none is held meanwhile."""
        count, left = 0, part.end - part.start
        with self.path.open("rb") as file:
            file.seek(part.start)
            for line in file:
                if not self._is_blank(line, first=False):
                    count += self._characters(line)
                left -= len(line)
                if left <= 0:
                    break
        return count

    def _characters(self, line: bytes) -> int:
        """Return the characters of a row's text; 0 of a row that cannot be used."""
        try:
            if self.column is None:
                return len(bare(line.decode()))
            return len(json.loads(line.decode("utf-8-sig"))[self.column])
        except (ValueError, TypeError, KeyError, RecursionError):
            return 0
