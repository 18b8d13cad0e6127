"""Sorted tables: what TensorFlow wrote we write byte for byte, and damaged ones are told from sound ones."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from albertkit.checkpoints.tensorflow.crc32c import masked_crc32c
from albertkit.checkpoints.tensorflow.sstable import MAGIC, is_table, read_table, table_bytes, varint
from albertkit.errors import CheckpointError
from checkpoints.tensorflow.tf1_folders import memory_limited_to, mutations, outcome

FEW = {b"": b"header", b"apple": b"1", b"apple/pie": b"", b"b\xff\x00": b"2" * 300}


def table(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "some.index"
    path.write_bytes(content)
    return path


def refusal(path: Path) -> str:
    with memory_limited_to(500 << 20), pytest.raises(CheckpointError) as caught:
        read_table(path)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value)


def block(content: bytes, *, kind: int = 0) -> bytes:
    typed = content + bytes([kind])
    return typed + struct.pack("<I", masked_crc32c(typed))


def entry(key: bytes, value: bytes, *, shared: int = 0, size: int | None = None) -> bytes:
    return varint(shared) + varint(len(key)) + varint(len(value) if size is None else size) + key + value


def framed(*data: bytes, handles: list[tuple[int, int]] | None = None) -> bytes:
    """A table of the given data blocks (without restart points), or of the given handles."""
    out, places = b"", []
    for content in data:
        whole = content + struct.pack("<II", 0, 1)
        places.append((len(out), len(whole)))
        out += block(whole)
    keys = [bytes([number + 1]) for number in range(len(handles or places))]
    index = b"".join(
        entry(key, varint(offset) + varint(size)) for key, (offset, size) in zip(keys, handles or places, strict=True)
    )
    whole = index + struct.pack("<II", 0, 1)
    footer = varint(0) + varint(0) + varint(len(out)) + varint(len(whole))
    return out + block(whole) + footer.ljust(40, b"\0") + MAGIC


def test_the_checksum_of_the_standard() -> None:
    crc = 0xE3069283  # RFC 3720's check value of "123456789"
    assert masked_crc32c(b"123456789") == ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def test_write_and_read(tmp_path: Path) -> None:
    assert read_table(table(tmp_path, table_bytes(FEW))) == FEW
    assert list(read_table(table(tmp_path, table_bytes(dict(reversed(FEW.items())))))) == sorted(FEW)
    assert read_table(table(tmp_path, table_bytes({}))) == {}


def test_many_blocks(tmp_path: Path) -> None:
    entries = {f"layer_{number:05d}/kernel".encode(): bytes(number % 251) * 2 for number in range(1400)}
    content = table_bytes(entries)
    assert len(content) > 262_144
    assert read_table(table(tmp_path, content)) == entries


def test_equal_to_tensorflow_byte_for_byte(shared: Path) -> None:
    files = sorted((shared / "fixtures").rglob("*.index"))
    assert len(files) >= 6
    for path in files:
        assert table_bytes(read_table(path)) == path.read_bytes(), path


def test_is_table(tmp_path: Path) -> None:
    assert is_table(table(tmp_path, table_bytes(FEW)))
    assert not is_table(table(tmp_path, b"short"))
    assert not is_table(table(tmp_path, bytes(100)))
    assert not is_table(tmp_path / "absent")
    assert not is_table(tmp_path)


def test_absent_and_other_files(tmp_path: Path) -> None:
    assert "the file is missing" in refusal(tmp_path / "absent.index")
    assert "cannot be read" in refusal(tmp_path)
    assert "is empty" in refusal(table(tmp_path, b""))
    assert "of another format" in refusal(table(tmp_path, b"x" * 100))
    assert "Git LFS pointer" in refusal(table(tmp_path, b"version https://git-lfs.github.com/spec/v1\n"))
    assert "larger than 512 KiB" in refusal(table(tmp_path, bytes(3 << 20)))


def test_a_cut_off_table(tmp_path: Path) -> None:
    content = table_bytes(FEW)
    for kept in (1, 47, 48, len(content) // 2, len(content) - 1):
        assert "truncated" in refusal(table(tmp_path, content[:kept]))


def test_a_changed_byte(tmp_path: Path) -> None:
    content = bytearray(table_bytes(FEW))
    content[3] ^= 1
    assert "the checksum of the block at byte 0 does not fit" in refusal(table(tmp_path, bytes(content)))


def test_a_compressed_block(tmp_path: Path) -> None:
    content = framed(entry(b"a", b"b"))
    size = content.index(struct.pack("<II", 0, 1)) + 8
    assert "its blocks are compressed" in refusal(table(tmp_path, block(content[:size], kind=1) + content[size + 5 :]))


@pytest.mark.parametrize(
    "content, expected",
    [
        (framed(entry(b"b", b""), entry(b"a", b"")), "its keys are not in order"),
        (framed(entry(b"a", b"") + entry(b"a", b"")), "its keys are not in order"),
        (framed(entry(b"a", b"", shared=1)), "impossible lengths"),
        (framed(entry(b"a", b"", size=1 << 60)), "impossible lengths"),
        (framed(entry(b"k" * 5000, b"")), "impossible lengths"),
        (framed(entry(b"a", b"") + b"\x80"), "a length in it is cut off"),
        (framed(entry(b"a", b""), handles=[(0, 1 << 62)]), "beyond its own end"),
        (framed(entry(b"a", b""), handles=[(0, 12), (0, 12)]), "not in a row"),
    ],
)
def test_tables_that_cannot_be(tmp_path: Path, content: bytes, expected: str) -> None:
    assert expected in refusal(table(tmp_path, content))


def test_too_many_restart_points(tmp_path: Path) -> None:
    whole = struct.pack("<I", 1 << 31)
    footer = varint(0) + varint(0) + varint(0) + varint(len(whole))
    assert "too short for what it claims" in refusal(table(tmp_path, block(whole) + footer.ljust(40, b"\0") + MAGIC))


def test_too_many_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("albertkit.checkpoints.tensorflow.sstable._MOST_ENTRIES", 200)
    entries = {b"%05d" % number: b"" for number in range(201)}
    assert "more than 200 entries" in refusal(table(tmp_path, table_bytes(entries)))


def test_damaged_tables_raise_nothing_else(tmp_path: Path) -> None:
    sound = table_bytes({b"%03d/%d" % (number, number % 7): bytes(number % 13) for number in range(60)})
    outcomes = []
    for damaged in mutations(sound, count=100, seed=5):
        path = table(tmp_path, damaged)
        outcomes.append(outcome(lambda path=path: read_table(path)))  # type: ignore[misc]
    assert set(outcomes) <= {"fine", "CheckpointError"}
    assert outcomes.count("CheckpointError") > 70
