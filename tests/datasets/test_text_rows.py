"""Rows of texts without labels."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from tests.tiny import write_csv

from albertkit.datasets.text_rows import read_rows
from albertkit.errors import DataError


def test_lines_tables_and_folders(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.txt").write_bytes(b"one\r\n\ntwo\n")
    (tmp_path / "folder" / "b.txt.gz").write_bytes(gzip.compress(b"three"))
    table = write_csv(tmp_path / "t.csv", [("four", "x"), ("", "y")])
    rows = read_rows([str(tmp_path / "folder"), str(table)], text_column=None, every_line=False)
    assert [row.text for row in rows] == ["one", "two", "three", "four", ""]
    assert rows[1].place.endswith("a.txt, line 3")
    assert rows[4].place.endswith("t.csv, row 2")
    every = read_rows([str(tmp_path / "folder" / "a.txt")], text_column=None, every_line=True)
    assert [row.text for row in every] == ["one", "", "two"]
    (tmp_path / "marked.txt").write_bytes(b"\xef\xbb\xbfone\n")
    (marked,) = read_rows([str(tmp_path / "marked.txt")], text_column=None, every_line=False)
    assert marked.text == "one"


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes(b"fine\nbad \xff\n")
    for name, words in (("latin.txt", "line 2"), ("no.txt", "there is no such file")):
        with pytest.raises(DataError, match=words):
            read_rows([str(tmp_path / name)], text_column=None, every_line=False)
