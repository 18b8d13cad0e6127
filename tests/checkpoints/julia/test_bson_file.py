"""The wire format of BSON, by the examples of bsonspec.org and by files that cannot be."""

from __future__ import annotations

import io
import random
import struct
from pathlib import Path
from typing import Any

import pytest

from albertkit.checkpoints.julia import bson_file
from albertkit.checkpoints.julia.bson_file import looks_like_bson, read_bson, write_bson
from albertkit.errors import CheckpointError

# The first two are printed at https://bsonspec.org/faq.html.
HELLO = b"\x16\x00\x00\x00\x02hello\x00\x06\x00\x00\x00world\x00\x00"
AWESOME = (
    b"\x31\x00\x00\x00\x04BSON\x00\x26\x00\x00\x00\x020\x00\x08\x00\x00\x00awesome\x00"
    b"\x011\x00\x33\x33\x33\x33\x33\x33\x14\x40\x102\x00\xc2\x07\x00\x00\x00\x00"
)


def saved(folder: Path, content: bytes) -> Path:
    path = folder / "x.bson"
    path.write_bytes(content)
    return path


def document(*elements: bytes) -> bytes:
    body = b"".join(elements) + b"\0"
    return struct.pack("<i", len(body) + 4) + body


def encoded(value: dict[str, Any]) -> bytes:
    file = io.BytesIO()
    write_bson(file, value, where="made here")
    return file.getvalue()


def test_the_examples_of_the_specification(tmp_path: Path) -> None:
    assert read_bson(saved(tmp_path, HELLO)) == {"hello": "world"}
    assert read_bson(saved(tmp_path, AWESOME)) == {"BSON": ["awesome", 5.05, 1986]}
    assert encoded({"hello": "world"}) == HELLO
    assert looks_like_bson(tmp_path / "x.bson")


def test_every_type_there_and_back(tmp_path: Path) -> None:
    value = {
        "none": None,
        "yes": True,
        "no": False,
        "number": -(2**40),
        "fraction": 0.1,
        "text": "▁the é",
        "bytes": b"\0\1\2",
        "list": [1, "two", [], {}, None],
        "inner": {"a": {"b": [b""]}},
        "": 0,
    }
    assert read_bson(saved(tmp_path, encoded(value))) == value


def nested(depth: int) -> bytes:
    content = document()
    for _ in range(depth):
        content = document(b"\x03a\0" + content)
    return content


@pytest.mark.parametrize(
    "content, expected",
    [
        (b"", "cannot be read"),
        (b"\x05\0\0", "claims 4 bytes at byte 0, where 3 are left"),
        (b"\x04\0\0\0\0", "a document at byte 0 claims 4 bytes, 5 are left"),
        (b"\xff\xff\xff\xff\0", "a document at byte 0 claims -1 bytes"),
        (HELLO[:-1], "a document at byte 0 claims 22 bytes, 21 are left"),
        (HELLO + b"\0", "is 23 bytes long and says 22"),
        (document(b"\x02a\0\xff\xff\xff\x7f"), "a text at byte 11 claims 2147483647 bytes"),
        (document(b"\x02a\0\x10\0\0\0b\0"), "claims 16 bytes at byte 11, where 2 are left"),
        (document(b"\x02a\0\0\0\0\0"), "a text at byte 11 claims 0 bytes"),
        (document(b"\x05a\0\xff\xff\xff\x7f\0"), "claims 2147483647 bytes at byte 12"),
        (document(b"\x05a\0\xfe\xff\xff\xff\0"), "claims -2 bytes at byte 12"),
        (document(b"\x03a\0\xff\0\0\0\0"), "a document at byte 7 claims 255 bytes, 5 are left"),
        (document(b"\x03a\0\x06\0\0\0\0\0"), "a document ends before its length says"),
        (document(b"\x10a\0\x01\0"), "claims 4 bytes at byte 7, where 2 are left"),
        (document(b"\x07a\0\x01\0"), "has an element of type 7"),
        (document(b"\x0aa\0", b"\x0aa\0"), 'holds "a" twice in one document'),
        (document(b"\x0aaaaa")[:-1] + b"a", "a name at byte 5 does not end"),
        (document(b"\x0a\xff\0"), "has text at byte 5 that is not UTF-8"),
        (nested(100), "is nested more than 64 deep"),
        (nested(20_000), "is nested more than 64 deep"),
    ],
)
def test_files_that_cannot_be(tmp_path: Path, content: bytes, expected: str) -> None:
    path = saved(tmp_path, content)
    with pytest.raises(CheckpointError) as caught:
        read_bson(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert expected in str(caught.value)


def test_more_elements_than_any_model_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bson_file, "_ELEMENTS", 100)
    inner = document(*(b"\x0a\0",) * 1000)
    with pytest.raises(CheckpointError, match="has more than 100 elements"):
        read_bson(saved(tmp_path, document(b"\x04a\0" + inner)))


def test_a_file_that_lengths_of_32_bits_cannot_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bson_file, "LARGEST", 100)
    with pytest.raises(CheckpointError, match="made here: takes 115 bytes, and a BSON file holds at most 100"):
        encoded({"a": bytes(103 - 1)})


def test_an_absent_file_and_other_files(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"absent\.bson: cannot be read"):
        read_bson(tmp_path / "absent.bson")
    for content in (b"", b"{}", b"PK\3\4\0\0", b"\x05\0\0\0\x63"):
        assert not looks_like_bson(saved(tmp_path, content))
    assert not looks_like_bson(tmp_path)


def test_damaged_files(tmp_path: Path) -> None:
    healthy = encoded({"a": [1, 2.0, "three", b"four", {"five": None}], "b": {"c": [True] * 20}, "d": "e" * 50})
    for number in range(300):
        draw = random.Random(number)
        content = bytearray(healthy)
        for _ in range(draw.choice((1, 2, 4))):
            content[draw.randrange(len(content))] = draw.choice((0, 1, 3, 4, 127, 255, draw.randrange(256)))
        try:
            read_bson(saved(tmp_path, bytes(content)))
        except CheckpointError:
            continue
