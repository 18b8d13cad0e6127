"""The first sheet of workbooks that openpyxl and we did or did not write well."""

from __future__ import annotations

import datetime
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from albertkit.errors import DataError, MissingExtraError
from albertkit.io.xlsx import Sheet


def workbook(path: Path, *rows: list[Any]) -> Path:
    book = pytest.importorskip("openpyxl").Workbook()
    for row in rows:
        book.active.append(row)
    book.save(path)
    return path


def replaced(path: Path, old: bytes, new: bytes) -> None:
    """Change the XML of the first sheet."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    name = "xl/worksheets/sheet1.xml"
    assert old in parts[name]
    parts[name] = parts[name].replace(old, new)
    with zipfile.ZipFile(path, "w") as archive:
        for part, content in parts.items():
            archive.writestr(part, content)


def test_cells_are_the_texts_of_csv(tmp_path: Path) -> None:
    moment = datetime.datetime(2026, 11, 30, 12, 5)
    path = workbook(
        tmp_path / "a.xlsx",
        ["caf\u00e9\nau lait", 1, 1.0, -2.5, 1e300],
        [True, None, "1.0", datetime.date(2026, 11, 30), moment],
        [None, None],
        ["", "last"],
    )
    replaced(path, b'<c r="C1" t="n"><v>1</v>', b'<c r="C1" t="n"><v>1.0</v>')
    assert [(row.number, row.cells) for row in Sheet(path).rows()] == [
        (1, ["caf\u00e9\nau lait", "1", "1", "-2.5", "1e+300"]),
        (2, ["TRUE", "", "1.0", "2026-11-30", "2026-11-30T12:05:00"]),
        (4, ["", "last"]),
    ]


def test_formulas_and_errors(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", ["=1+1", "=2+2"], ["#N/A", "x"])
    replaced(path, b"<f>2+2</f>", b"<f>2+2</f><v>4</v>")
    first, second = Sheet(path).rows()
    assert first.cells == ["", "4"]
    assert "the formula has no computed value" in first.problems[0]
    assert second.problems == {0: "the cell holds the error #N/A"}


def test_wrong_dimensions_lose_no_cell(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", ["text", "label"], ["good", "1"])
    replaced(path, b'<dimension ref="A1:B2"', b'<dimension ref="A1"')
    assert [row.cells for row in Sheet(path).rows()] == [["text", "label"], ["good", "1"]]


def test_other_sheets(tmp_path: Path) -> None:
    book = pytest.importorskip("openpyxl").Workbook()
    book.active.title = "Reviews"
    book.create_sheet("Empty")
    book.create_sheet("Notes")["C7"] = "x"
    book.save(tmp_path / "a.xlsx")
    sheet = Sheet(tmp_path / "a.xlsx")
    assert (sheet.name, sheet.others, list(sheet.rows())) == ("Reviews", ["Notes"], [])


@pytest.mark.parametrize("kind", ["text", "empty", "zip", "half", "xml"])
def test_damaged_files(tmp_path: Path, kind: str) -> None:
    path = workbook(tmp_path / "a.xlsx", ["text"], ["good"])
    if kind == "xml":
        replaced(path, b"</row>", b"")
    elif kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a", "b")
    else:
        path.write_bytes({"text": b"text,label\n", "empty": b"", "half": path.read_bytes()[:900]}[kind])
    with pytest.raises(DataError, match=r"a\.xlsx: cannot be read as \.xlsx: it is damaged, has a password"):
        list(Sheet(path).rows())


def test_without_openpyxl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(MissingExtraError, match=r"reading a\.xlsx needs openpyxl.*albertkit\[xlsx\]"):
        Sheet(tmp_path / "a.xlsx")
