"""Texts of any encoding and line end: what comes out is what Python's own codecs say."""

from __future__ import annotations

import io

import pytest

from albertkit.errors import DataError, UsageError
from albertkit.io.decoding import bare, check_encoding, file_blocks, text_form, text_lines, utf8_blocks

TEXT = "caf\u00e9 \u20ac\n\n\u2028 two\n"


def lines(content: bytes, **options: str) -> list[str]:
    return [bare(line) for line in text_lines(file_blocks(io.BytesIO(content)), where="a.txt", **options)]


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_byte_order_marks_and_line_ends(codec: str, end: str) -> None:
    content = TEXT.replace("\n", end).encode(codec)
    assert lines(content) == ["caf\u00e9 \u20ac", "", "\u2028 two"]
    assert b"".join(utf8_blocks([content], where="a.txt")).decode("utf-8-sig").replace("\r\n", "\n") == TEXT
    assert lines(content, encoding=codec) == lines(content)


@pytest.mark.parametrize("codec", ["cp1252", "utf-16-le", "utf-16-be", "shift_jis", "cp037"])
def test_a_named_encoding(codec: str) -> None:
    text = "caf\u00e9\nb" if codec in ("cp1252", "cp037") else "\u65e5\u672c\nb"
    assert lines(text.encode(codec), encoding=codec) == text.split("\n")


def test_blocks_cut_anywhere() -> None:
    text = "\u65e5\u672c\u8a9e\r\n" * 5 + "\U0001f600"
    for codec in ("utf-8", "utf-16"):
        content = text.encode(codec)
        cut = [content[:8], *(content[at : at + 1] for at in range(8, len(content)))]
        assert "".join(text_lines(cut, where="a")) == text
    only_cr = "\u65e5\r\rb\r".encode()
    assert list(text_lines([only_cr[:4], only_cr[4:5], only_cr[5:]], where="a")) == ["\u65e5\n", "\n", "b\n"]


def test_no_block_is_empty() -> None:
    content = "\u65e5b".encode("utf-16")
    cut = [content[at : at + 1] for at in range(2, len(content))]
    assert list(utf8_blocks([content[:2], *cut], where="a")) == ["\u65e5".encode(), b"b"]
    assert list(utf8_blocks([], where="a")) == []


def test_a_carriage_return_inside_a_line_stays() -> None:
    assert lines(b"a\rb\r\nc\r\r\n") == ["a\rb", "c\r"]


@pytest.mark.parametrize(
    ("content", "encoding", "sentence"),
    [
        (b"one\ncaf\xe9\n", None, r"a\.txt, line 2: byte 0xe9 is not UTF-8; save .*, or pass --encoding, such"),
        (b"one\rtwo\rcaf\xe9", None, "line 3: byte 0xe9 is not UTF-8"),
        (b"one\n\x81", "cp1252", "line 2: byte 0x81 is not cp1252; .* or pass another --encoding"),
        ("a\nb".encode("utf-16")[:-1], None, "line 2: byte 0x62 is not utf-16-le"),
        (b"\xef\xbb\xbfa", "cp1252", "byte order mark of utf-8, but the encoding is cp1252"),
        ("some text".encode("utf-16-le"), None, "looks like UTF-16 without .* pass --encoding utf-16-le"),
        ("some text".encode("utf-16-be"), None, "pass --encoding utf-16-be"),
    ],
)  # fmt: skip
def test_refusals(content: bytes, encoding: str | None, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        list(text_lines([content], where="a.txt", encoding=encoding))
    with pytest.raises(DataError, match=sentence):
        list(utf8_blocks([content], where="a.txt", encoding=encoding))


@pytest.mark.parametrize("name", ["cp1251x", "", "a\0b"])
def test_names_that_are_no_encoding(name: str) -> None:
    with pytest.raises(UsageError, match="unknown encoding"):
        check_encoding(name)
    with pytest.raises(UsageError, match="unknown encoding"):
        text_form(b"", encoding=name, where="a.txt")


@pytest.mark.parametrize("name", ["rot13", "base64", "hex", "idna", "unicode_escape", "ZIP", "undefined"])
def test_codecs_that_are_not_of_text(name: str) -> None:
    with pytest.raises(UsageError, match=f'^"{name}" is not a text encoding; give one such as utf-8') as refusal:
        check_encoding(name)
    assert "did you mean" not in str(refusal.value)


def test_no_codec_that_is_refused_is_suggested() -> None:
    for name in ("rot-133", "base645", "zlibb", "punycodes"):
        with pytest.raises(UsageError, match="unknown encoding") as refusal:
            check_encoding(name)
        for refused in ('"rot', '"base', '"zlib', '"punycode"'):
            assert f"did you mean {refused}" not in str(refusal.value)


def test_the_nearest_encoding_is_named() -> None:
    with pytest.raises(UsageError, match='unknown encoding "latin-11"; did you mean "latin'):
        check_encoding("latin-11")


def test_bad_bytes_pass_where_they_are_counted_later() -> None:
    assert b"".join(utf8_blocks([b"a\xff\n", b"b\xff"], where="a", keep_bad=True)) == b"a\xff\nb\xff"
    assert b"".join(utf8_blocks([b"a\xff\rb"], where="a", keep_bad=True)) == b"a\xff\nb"
