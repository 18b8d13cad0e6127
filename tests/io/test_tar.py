"""The reader of tar files against Python's own, and against damage."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable

import pytest

from albertkit.io.tar import MAX_NAME_BYTES, TarReader


def test_the_reader_agrees_with_tarfile() -> None:
    for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        raw = io.BytesIO()
        with tarfile.open(fileobj=raw, mode="w", format=form, pax_headers={"comment": "x" * 600}) as tar:
            for number, name in enumerate(["a", "b/c", "d" * 90 + "/" + "e" * 60, "f\u00e9"]):
                info = tarfile.TarInfo(name)
                info.size = number * 511
                info.mtime = 1.5 if form == tarfile.PAX_FORMAT else 1
                tar.addfile(info, io.BytesIO(bytes([number]) * info.size))
            folder = tarfile.TarInfo("folder")
            folder.type = tarfile.DIRTYPE
            tar.addfile(folder)
        raw.seek(0)
        with tarfile.open(fileobj=raw) as tar:
            theirs = [(info.name, info.isdir(), info.size) for info in tar]
        raw.seek(0)
        reader = TarReader(raw)
        ours = [(member.name.rstrip("/"), member.kind == "folder", member.size) for member in reader]
        assert ours == theirs


def test_numbers_beyond_octal_digits() -> None:
    info = tarfile.TarInfo("huge")
    info.size = 2**40
    reader = TarReader(io.BytesIO(info.tobuf(format=tarfile.GNU_FORMAT)))
    assert next(iter(reader)).size == 2**40
    with pytest.raises(EOFError, match="it ends within huge"):
        reader.read(1)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda raw: raw[:300], "ends within a header"),
        (lambda raw: raw[:100] + b"x" + raw[101:], "check sum"),
        (lambda _: b"", "it is empty"),
    ],
)
def test_damaged_headers(change: Callable[[bytes], bytes], words: str) -> None:
    with pytest.raises((ValueError, EOFError), match=words):
        list(TarReader(io.BytesIO(change(tarfile.TarInfo("a").tobuf()))))


@pytest.mark.parametrize(
    "record", [b"9999999999 path=x\n", b"5 path=x\n", b"x", b"12 path", b"0 a=b\n", b"-7 a=b\n", b"\xff\xfe a=b\n"]
)
def test_damaged_pax_records(record: bytes) -> None:
    info = tarfile.TarInfo("pax")
    info.type, info.size = b"x", len(record)
    raw = info.tobuf() + record.ljust(512, b"\0") + tarfile.TarInfo("a").tobuf() + bytes(1024)
    with pytest.raises(ValueError, match="pax record"):
        list(TarReader(io.BytesIO(raw)))


def test_a_name_just_too_long() -> None:
    assert MAX_NAME_BYTES < 2**20
    info = tarfile.TarInfo("pax")
    info.type, info.size = b"L", MAX_NAME_BYTES + 1
    with pytest.raises(ValueError, match="a name takes"):
        list(TarReader(io.BytesIO(info.tobuf() + bytes(2 * MAX_NAME_BYTES))))
