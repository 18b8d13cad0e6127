"""Bytes, lines and bad rows."""

from __future__ import annotations

import pytest

from albertkit.datasets.rows import BadRows, checked_text, decode_text, split_lines
from albertkit.errors import DataError


def test_undecodable_bytes_name_their_line() -> None:
    with pytest.raises(DataError, match=r"a.tsv, line 3: byte 0xe9 is not UTF-8"):
        decode_text(b"\xef\xbb\xbfone\ntwo\ncaf\xe9\n", where="a.tsv")
    assert decode_text("\ufeffcaf\u00e9".encode(), where="a.tsv") == "caf\u00e9"


def test_lines_part_at_line_feeds_alone() -> None:
    text = "a\x85b\x0cc\r\n\n d\u2028e\r\n"
    assert split_lines(text) == [(1, "a\x85b\x0cc"), (3, " d\u2028e")]


def test_bad_rows_are_told_all_at_once() -> None:
    bad = BadRows("a.csv", skip=False)
    assert bad.close() == ()
    for line in range(3, 15):
        bad.add(f"line {line}", "2 columns instead of 3")
    with pytest.raises(
        DataError, match=r"a.csv, line 3: 2 columns .* \(and 11 more: line 4, .*line 11, \.\.\.\); repair"
    ):
        bad.close()


def test_skipped_rows_are_counted() -> None:
    bad = BadRows("a.csv", skip=True)
    bad.add("line 3", "the label is missing")
    assert bad.close() == ("a.csv, line 3: the label is missing",)


@pytest.mark.parametrize(
    "value, message",
    [(None, '"text" is missing'), (5, '"text" is 5, a int'), ("a\ud83db", r'"text" holds U\+D83D, half a surrogate')],
)
def test_texts_that_are_none(value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        checked_text(value, column="text")
