"""Read the first sheet of an .xlsx workbook as rows of texts: openpyxl as an optional library, one sentence for errors.

A cell becomes the text that CSV would have: 1.0 is "1", a date is "2026-11-30", an empty cell is "". Spreadsheet
programs show rounded values; what is read is the value itself.
"""

from __future__ import annotations

import datetime
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from albertkit.errors import DataError, MissingExtraError

_BATCH = 2048  # rows that are taken at a time
_EXACT = 1e15
"""Below this size, spreadsheets keep every digit of a whole number."""


class SheetRow(NamedTuple):
    """A row of a sheet that is not empty."""

    number: int
    """From 1, as spreadsheet programs count."""
    cells: list[str]
    """Up to the last cell that is not empty."""
    problems: dict[int, str]
    """Index of a cell -> why it has no value: an error such as #N/A, or a formula that was never computed."""


class Sheet:
    """The first sheet of a workbook, read from the file each time it is asked for.

    Args:
        path: the file.

    Raises:
        DataError: the file is damaged, encrypted or no .xlsx.
        MissingExtraError: openpyxl is not installed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with _open(path) as book, _errors(path):
            sheets = book.worksheets
            if not sheets:
                raise DataError(f"{path}: the workbook has no sheet with cells; give one with a table")
            self.name: str = sheets[0].title
            self.others: list[str] = [sheet.title for sheet in sheets[1:] if _is_filled(sheet)]
            """Names of the other sheets that are not empty."""

    def rows(self) -> Iterator[SheetRow]:
        """Yield the rows that are not empty.

        Raises:
            DataError: the file is damaged.
        """
        formulas: set[tuple[int, int]] | None = None
        with _open(self.path) as book:
            for number, cells in self._cells(book):
                texts: list[str] = []
                problems: dict[int, str] = {}
                for column, cell in enumerate(cells, 1):
                    texts.append(_text(cell.value))
                    if cell.data_type == "e":
                        problems[column - 1] = f"the cell holds the error {cell.value}"
                    elif cell.value is None and hasattr(cell, "row"):  # in the file, without a value
                        formulas = self._formulas() if formulas is None else formulas
                        if (number, column) in formulas:
                            problems[column - 1] = (
                                "the formula has no computed value; save the workbook in a spreadsheet program"
                            )
                while texts and not texts[-1] and len(texts) - 1 not in problems:
                    texts.pop()
                if texts:
                    yield SheetRow(number, texts, problems)

    def _formulas(self) -> set[tuple[int, int]]:
        """Return (row, column) of each formula."""
        with _open(self.path, values=False) as book:
            return {
                (number, column)
                for number, cells in self._cells(book)
                for column, cell in enumerate(cells, 1)
                if cell.data_type == "f"
            }

    def _cells(self, book: Any) -> Iterator[tuple[int, Any]]:
        sheet = book.worksheets[0]
        sheet.reset_dimensions()  # some programs write wrong ones, and cells outside of them would be lost
        rows = enumerate(sheet.iter_rows(), 1)
        while True:
            with _errors(self.path):
                batch = list(islice(rows, _BATCH))
            if not batch:
                return
            yield from batch


@contextmanager
def _open(path: Path, *, values: bool = True) -> Iterator[Any]:
    try:
        import openpyxl
    except ImportError as error:
        raise MissingExtraError("openpyxl", extra="xlsx", purpose=f"reading {path.name}") from error
    with ExitStack() as stack:
        with _errors(path):
            file = stack.enter_context(path.open("rb"))
            book = stack.enter_context(closing(openpyxl.load_workbook(file, read_only=True, data_only=values)))
        yield book


@contextmanager
def _errors(path: Path) -> Iterator[None]:
    """Replace what openpyxl raises of a bad file by one sentence; its warnings are about styles and dialogs.

    Raises:
        DataError: the file cannot be read, is damaged, encrypted or of another format.
    """
    from xml.etree.ElementTree import ParseError
    from zipfile import BadZipFile
    from zlib import error as ZlibError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except OSError as error:
        if error.errno is None:
            raise _damaged(path) from error
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (  # all that a damaged file makes the parsers raise; the last two: another compression, a password
        BadZipFile, ParseError, ZlibError, EOFError, KeyError, IndexError, ValueError, TypeError, AttributeError,
        NotImplementedError, RuntimeError,
    ) as error:  # fmt: skip
        raise _damaged(path) from error


def _damaged(path: Path) -> DataError:
    return DataError(
        f"{path}: cannot be read as .xlsx: it is damaged, has a password or is of another format; save it again as "
        ".xlsx or as CSV"
    )


def _is_filled(sheet: Any) -> bool:
    sheet.reset_dimensions()
    return any(value is not None for row in sheet.iter_rows(values_only=True) for value in row)


def _text(value: Any) -> str:
    """Return a cell as CSV has it.

    >>> _text(1.0), _text(0.5), _text(True), _text(None), _text(datetime.datetime(2026, 11, 30))
    ('1', '0.5', 'TRUE', '', '2026-11-30')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        return str(int(value))
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        return value.date().isoformat()
    return value.isoformat() if isinstance(value, datetime.date | datetime.time) else str(value)
