"""Rows of the five kinds of table."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path

import pytest

from albertkit.datasets.rows import BadRows
from albertkit.datasets.table_files import open_table
from albertkit.errors import DataError, MissingExtraError, UsageError


def rows(path: Path, *names: str) -> tuple[list[tuple[str, list[object]]], tuple[str, ...]]:
    bad = BadRows(path.name, skip=True)
    found = list(open_table(path).rows(names, bad))
    return found, bad.close()


def test_csv_agrees_with_the_csv_module(tmp_path: Path) -> None:
    texts = ['a "quoted", one', "two\nlines\r\n", "", "caf\u00e9 \u2028", "x" * 300_000]
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerows([["label", "text"], *([str(i), text] for i, text in enumerate(texts))])
    path = tmp_path / "a.csv"
    path.write_bytes(b"\xef\xbb\xbf" + buffer.getvalue().encode())
    limit = csv.field_size_limit()
    found, skipped = rows(path, "text")
    assert [values[0] for _, values in found] == texts
    assert [place for place, _ in found] == ["line 2", "line 3", "line 6", "line 7", "line 8"]
    assert skipped == ()
    assert csv.field_size_limit() == limit


def test_csv_rows_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('text,label\ngood,1\n\nshort\n"a"b,1\nlong,1,2\nfine,0\n"never closed,1\n', "utf-8")
    found, skipped = rows(path, "label", "text")
    assert found == [("line 2", ["1", "good"]), ("line 7", ["0", "fine"])]
    assert [sentence.split(":")[0] for sentence in sorted(skipped)] == [f"a.csv, line {n}" for n in (4, 5, 6, 8)]
    assert any("line 4: 1 column instead of 2" in sentence for sentence in skipped)
    assert any("line 8: not CSV" in sentence for sentence in skipped)


def test_tsv_quotes_are_ordinary(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_bytes(b'text\tlabel\r\n"open\t1\r\nb\tc\td\n')
    found, skipped = rows(path, "text", "label")
    assert found == [("line 2", ['"open', "1"])]
    assert skipped == ("a.tsv, line 3: 3 columns instead of 2",)


def test_jsonl(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    good = json.dumps({"text": "caf\u00e9\n", "label": ["a"]})
    path.write_text(f'{good}\n\n{{"text": 1\n[1]\n{{"text": "x"}}\n', "utf-8")
    found, skipped = rows(path, "text", "label")
    assert found == [("line 1", ["caf\u00e9\n", ["a"]])]
    assert skipped[0].startswith("a.jsonl, line 3: not JSON")
    assert skipped[1:] == (
        "a.jsonl, line 4: a JSON list instead of an object of column names and values",
        'a.jsonl, line 5: no key "label"',
    )


def test_jsonl_without_an_object(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("[1, 2]\n", "utf-8")
    with pytest.raises(DataError, match=r"line 1: a JSON list .* each line must be one JSON object"):
        open_table(path)


def test_parquet(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "a.parquet"
    parquet.write_table(arrow.table({"n": [1, 2], "text": ["a", None], "label": [["x"], []]}), path)
    assert open_table(path).columns == ("n", "text", "label")
    assert rows(path, "label", "text")[0] == [("row 1", [["x"], "a"]), ("row 2", [[], None])]
    path.write_bytes(b"PAR1 no more")
    with pytest.raises(DataError, match=r"a.parquet: cannot be read as Parquet"):
        open_table(path)


def test_parquet_needs_an_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    with pytest.raises(MissingExtraError, match=r"a.parquet needs pyarrow.*pip install 'albertkit\[tables\]'"):
        open_table(tmp_path / "a.parquet")


def test_xlsx_reads_as_the_same_csv(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    cells = [["text", "label"], ["good", 1.0], [], ["bad", None], [2010, 0], ["a", 1, 2]]
    for line in cells:
        book.active.append(line)
    book.create_sheet("Notes")["A1"] = "x"
    book.save(tmp_path / "a.xlsx")
    with (tmp_path / "a.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([[1 if cell == 1.0 else cell for cell in line] for line in cells if line])
    found, skipped = rows(tmp_path / "a.xlsx", "label", "text")
    assert [values for _, values in found] == [values for _, values in rows(tmp_path / "a.csv", "label", "text")[0]]
    assert [values for _, values in found] == [["1", "good"], ["", "bad"], ["0", "2010"]]
    assert [place for place, _ in found] == ["row 2", "row 4", "row 5"]
    assert skipped == ("a.xlsx, row 6: a cell in column 3, but row 1 names 2 columns",)
    assert rows(tmp_path / "a.xlsx", "text", "text")[0][0] == ("row 2", ["good", "good"])
    table = open_table(tmp_path / "a.xlsx")
    assert table.where == f"{tmp_path / 'a.xlsx'}, sheet Sheet"
    assert table.warnings == (f"{tmp_path / 'a.xlsx'}: read the first sheet, Sheet; not read: Notes",)
    with pytest.raises(UsageError, match=r"--encoding cp1252 is for text files, but .* is a workbook"):
        open_table(tmp_path / "a.xlsx", encoding="cp1252")


def test_xlsx_formulas_are_computed_by_others(tmp_path: Path) -> None:
    book = pytest.importorskip("openpyxl").Workbook()
    for line in (["text", "label"], ["good", "=1+1"], ["#N/A", 1]):
        book.active.append(line)
    book.save(tmp_path / "a.xlsx")
    found, skipped = rows(tmp_path / "a.xlsx", "text", "label")
    assert found == []
    assert 'row 2: column "label": the formula has no computed value; save the workbook' in skipped[0]
    assert 'row 3: column "text": the cell holds the error #N/A' in skipped[1]
    optional = list(open_table(tmp_path / "a.xlsx").rows([], BadRows("a"), optional=["label"]))
    assert optional == [("row 2", [""]), ("row 3", ["1"])]


@pytest.mark.parametrize(
    "lines, message",
    [
        ([[]], r"a\.xlsx, sheet Data: the first sheet has no rows; the sheet More has"),
        ([[], ["text", "text"]], r'sheet Data, row 2: column "text" occurs more than once'),
        ([["=A2"], ["text"]], r"sheet Data, row 1: the formula has no computed value"),
    ],
)
def test_workbooks_that_cannot_be_opened(tmp_path: Path, lines: list[list[str]], message: str) -> None:
    book = pytest.importorskip("openpyxl").Workbook()
    book.active.title = "Data"
    for line in lines:
        book.active.append(line)
    book.create_sheet("More")["A1"] = "x"
    book.save(tmp_path / "a.xlsx")
    with pytest.raises(DataError, match=message):
        open_table(tmp_path / "a.xlsx")


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("a.csv", b"", "a.csv: the file is empty"),
        ("a.tsv", b"\xef\xbb\xbf\n \n", "a.tsv: the file is empty"),
        ("a.jsonl", b"\n", "a.jsonl: the file is empty"),
        ("a.csv", b"text,label\ncaf\xe9,1\n", "a.csv, line 2: byte 0xe9 is not UTF-8"),
        ("a.csv", b"text,text\na,b\n", 'line 1: column "text" occurs more than once'),
        ("a.csv", b'"text,label\na,b\n', "a.csv, line 1: no row of column names"),
    ],
)
def test_files_that_cannot_be_opened(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        open_table(tmp_path / name)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere.csv does not exist"):
        open_table(tmp_path / "nowhere.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(DataError, match=r"folder.csv is a folder"):
        open_table(tmp_path / "folder.csv")
