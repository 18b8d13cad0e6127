"""Finding and reading files of text."""

from __future__ import annotations

import gzip
import hashlib
import io
import lzma
import os
import sys
from pathlib import Path

import pytest

from albertkit.data.corpus.inputs import Input, InputReader, find_inputs
from albertkit.errors import DataError, UsageError


def test_folders_files_and_standard_input(tmp_path: Path) -> None:
    for name in ("b.txt", "a.txt.gz", "c.md", "d.txt.xz"):
        content = b"text"
        (tmp_path / name).write_bytes({"gz": gzip.compress, "xz": lzma.compress}.get(name[-2:], bytes)(content))
    (tmp_path / "e.txt").mkdir()
    found = find_inputs([tmp_path / "c.md", "-", str(tmp_path)])
    assert [source.name for source in found] == ["c.md", "-", "a.txt.gz", "b.txt", "d.txt.xz"]
    assert [source.size for source in found[:2]] == [4, 0]


@pytest.mark.parametrize("suffix", ["txt", "txt.gz", "txt.xz"])
def test_text_and_digest(suffix: str, tmp_path: Path) -> None:
    text = os.urandom(50_000).hex().encode()
    path = tmp_path / f"t.{suffix}"
    half = len(text) // 2  # two members, as `cat a.gz b.gz` gives
    pack = {"txt": bytes, "txt.gz": gzip.compress, "txt.xz": lzma.compress}[suffix]
    path.write_bytes(pack(text[:half]) + pack(text[half:]))
    with InputReader(Input(path.name, path)) as reader:
        assert reader.read(70_000) + reader.read(70_000) == text
        assert reader.read(1) == b""
        record = reader.record()
    assert record == (path.name, path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest())
    with InputReader(Input(path.name, path)) as reader:
        reader.read(10)
        assert reader.record() == record


def test_standard_input_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(b"some text"))
    monkeypatch.setattr(sys, "stdin", stream)
    with InputReader(Input("-", None)) as reader:
        assert reader.read(100) == b"some text"
        assert reader.record().bytes == 9
    assert not stream.closed


def test_what_cannot_be_read_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "no.txt.gz").write_bytes(b"not gzip")
    (tmp_path / "no.txt.xz").write_bytes(b"not xz")
    with pytest.raises(DataError, match=r"x\.txt: there is no such file; check the path"):
        find_inputs([tmp_path / "x.txt"])
    with pytest.raises(DataError, match=r"empty: this folder holds no \.txt, .* file.* \(and 2 more such problems\)"):
        find_inputs([tmp_path / "empty", tmp_path / "no.txt.gz", tmp_path / "x"])
    for name in ("no.txt.gz", "no.txt.xz"):
        with pytest.raises(DataError, match=rf"{name}: cannot be read \(.+\); repair or leave out the file"):
            find_inputs([tmp_path / name])
    with pytest.raises(UsageError, match="no text to prepare"):
        find_inputs([])
    with pytest.raises(UsageError, match="named twice"):
        find_inputs(["-", "-"])


def test_a_file_that_ends_too_early(tmp_path: Path) -> None:
    path = tmp_path / "t.txt.gz"
    path.write_bytes(gzip.compress(os.urandom(100_000))[:-2000])
    with pytest.raises(DataError, match=r"t\.txt\.gz: cannot be read"):
        find_inputs([path])
