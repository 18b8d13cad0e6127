"""Records of CSV text: the delimiter, Excel's `sep=` line, blanks behind delimiters, and names of columns.

CSV follows RFC 4180: quoted fields may hold delimiters and line ends.
"""

from __future__ import annotations

import csv
import io
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain

from albertkit.data.columns import refuse_doubles
from albertkit.errors import DataError

DELIMITERS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a vertical bar"}
"""What may separate the columns -> its name. The comma does, unless the header has more columns by another."""

_SEP_LINE = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE | re.DOTALL)  # Excel writes and reads it


@dataclass(frozen=True)
class CsvRecord:
    """One row of a CSV file."""

    line: int
    """Number of its first line, from 1."""
    cells: list[str]
    problem: str = ""
    """What is wrong with it; the cells are empty then."""


class CsvReader:
    """Reads the records of CSV text; the first one is the header.

    Args:
        lines: the text's lines with their ends.
        where: the file, as a message names it.

    Raises:
        DataError: there is no header.
    """

    def __init__(self, lines: Iterable[str], *, where: str) -> None:
        lines = iter(lines)
        self._lines_before = 0
        first = ""
        for first in lines:
            if first.strip("\r\n"):
                break
            self._lines_before += 1
        sep = _SEP_LINE.fullmatch(first)
        if sep is not None:
            self._lines_before += 1
            first = next(lines, "")
        second = next(lines, "")
        self.delimiter = _delimiter(first, second) if sep is None else sep.group(1)
        header = _header_cells(first, self.delimiter)
        self._dialect = {
            "delimiter": self.delimiter,
            # A name with a blank before it: the file has ", " between its columns.
            "skipinitialspace": any(name.startswith(" ") for name in header[1:]),
            "strict": True,
        }
        self._records = self._read(chain([first, second] if second else [first], lines))
        record = next(self._records, None)
        if record is None or record.problem:
            raise DataError(f"{where}, line 1: no row of column names; the first line must hold them")
        self.columns = column_names(record.cells, where=where)

    @property
    def note(self) -> str:
        """Return a sentence that names the delimiter, or "" if it is a comma."""
        if self.delimiter == ",":
            return ""
        return f"the columns are separated by {DELIMITERS.get(self.delimiter, repr(self.delimiter))}, not by a comma"

    def __iter__(self) -> Iterator[CsvRecord]:
        """Yield the records below the header; empty lines are none."""
        return self._records

    def _read(self, lines: Iterator[str]) -> Iterator[CsvRecord]:
        with _large_fields():
            reader = csv.reader(lines, **self._dialect)  # type: ignore[arg-type]
        while True:
            line = self._lines_before + reader.line_num + 1
            with _large_fields():
                try:
                    cells = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    problem = f"not CSV ({error}): a quote that is not closed, or not doubled inside quotes"
                    if "NUL" in str(error):
                        problem = "a NUL character, which Python cannot read in CSV before version 3.11"
                    cells = []
                else:
                    problem = ""
            if cells or problem:
                yield CsvRecord(line, cells, problem)


def column_names(header: Sequence[str], *, where: str, place: str = "line 1") -> tuple[str, ...]:
    """Return the names of the columns without blanks around them; columns without a name may be several.

    Raises:
        DataError: a name is there more than once.
    """
    names = tuple(name.strip() for name in header)
    refuse_doubles(names, where=f"{where}, {place}")
    return names


def physical_lines(lines: Iterable[str]) -> Iterator[str]:
    """Part lines at carriage returns too, as the csv module wants them; one inside quotes stays in its field."""
    for line in lines:
        if "\r" in line.removesuffix("\n").removesuffix("\r"):
            yield from io.StringIO(line, newline="")
        else:
            yield line


def _delimiter(header: str, row: str) -> str:
    counts = {delimiter: len(_header_cells(header, delimiter)) for delimiter in DELIMITERS}
    most = max(counts, key=lambda delimiter: counts[delimiter])  # the comma, where two are equal
    # Where commas separate columns, too, the first row has to agree: a name may hold a "|".
    agrees = counts[","] <= 1 or len(_header_cells(row, most)) == counts[most]
    return most if agrees else ","


def _header_cells(line: str, delimiter: str) -> list[str]:
    with _large_fields():
        try:
            return next(csv.reader([line], delimiter=delimiter), [])
        except csv.Error:
            return []


@contextmanager
def _large_fields() -> Iterator[None]:
    before = csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # a C long, which has 32 bits on Windows
    try:
        yield
    finally:
        csv.field_size_limit(before)
