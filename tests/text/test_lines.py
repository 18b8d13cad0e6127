"""Lines end only at line feeds; every refusal names its line."""

from __future__ import annotations

import pytest

from albertkit.errors import DataError
from albertkit.text.lines import read_lines


def test_line_feeds_alone_end_a_line() -> None:
    raw = "a\rb\x85c\u2028d\n\n e \r\nlast".encode().splitlines(keepends=True)
    stream = b"".join(raw).split(b"\n")
    lines = [part + b"\n" for part in stream[:-1]] + [stream[-1]]
    assert [text for text, _ in read_lines(lines)] == ["a\rb\x85c\u2028d", "", " e \r", "last"]


def test_pairs_and_json() -> None:
    assert list(read_lines([b"a\tb\n"], pairs=True)) == [("a", "b")]
    assert list(read_lines([b'"a\\nb"\n', b'["x", "y"]\n'], jsonl=True)) == [("a\nb", None), ("x", "y")]


@pytest.mark.parametrize(
    "line, options, message",
    [
        (b"caf\xe9\n", {}, r"line 2: byte 3 \(0xe9\) is not UTF-8"),
        (b"a b\n", {"pairs": True}, "line 2: 0 tabs where a pair has 1"),
        (b"a\tb\tc\n", {"pairs": True}, "line 2: 2 tabs where a pair has 1"),
        (b"\n", {"jsonl": True}, "line 2: '' is not JSON"),
        (b"3\n", {"jsonl": True}, "line 2: '3' is not a string or a list of two strings"),
        (b'"a"\n', {"jsonl": True, "pairs": True}, "line 2: .* is not a list of two strings"),
        (b"[" * 100_000, {"jsonl": True}, "line 2: .* is not JSON"),
    ],
)
def test_refusals_name_their_line(line: bytes, options: dict[str, bool], message: str) -> None:
    good = b'["a", "b"]\n' if options.get("jsonl") else b"a\tb\n"
    with pytest.raises(DataError, match=message):
        list(read_lines([good, line], **options))
