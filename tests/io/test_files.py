"""Atomic files and folders: at every moment the old content or the new."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest
import torch
from tests.tiny import files_limited_to, leftovers

from albertkit.checkpoints.tensor_files import write_tensors
from albertkit.io.files import (
    WriteError,
    atomic_file,
    atomic_folder,
    cache_folder,
    is_leftover,
    read_json,
    remove_leftovers,
    write_json,
    write_text,
)


def refuse(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_file_is_written_with_its_folders(tmp_path: Path) -> None:
    write_text(tmp_path / "new" / "deep" / "t.txt", "caf\u00e9\n")
    assert (tmp_path / "new" / "deep" / "t.txt").read_bytes() == b"caf\xc3\xa9\n"
    write_json(tmp_path / "v.json", {"a": [1, "\u00e9"]})
    assert json.loads((tmp_path / "v.json").read_text(encoding="utf-8")) == {"a": [1, "\u00e9"]}
    assert not leftovers(tmp_path)


def test_an_error_in_the_block_keeps_the_old_file(tmp_path: Path) -> None:
    write_text(tmp_path / "t.txt", "old")
    with pytest.raises(KeyError), atomic_file(tmp_path / "t.txt") as temporary:  # noqa: PT012 - the block is the test
        temporary.write_text("half of the ne")
        raise KeyError
    assert (tmp_path / "t.txt").read_text() == "old"
    assert not leftovers(tmp_path)


@pytest.mark.parametrize("function", ["replace", "fsync"])
def test_no_space_keeps_the_old_file(tmp_path: Path, function: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write_text(tmp_path / "t.txt", "old")
    monkeypatch.setattr(os, function, refuse)
    with pytest.raises(WriteError, match=r"t.txt: cannot be written \(No space left on device\); the previous file"):
        write_text(tmp_path / "t.txt", "new")
    assert (tmp_path / "t.txt").read_text() == "old"
    assert not leftovers(tmp_path)


def test_a_file_that_cannot_grow_keeps_the_old_one(tmp_path: Path) -> None:
    write_text(tmp_path / "t.txt", "old")
    with files_limited_to(1000), pytest.raises(WriteError, match="cannot be written"):
        write_text(tmp_path / "t.txt", "x" * 5000)
    assert (tmp_path / "t.txt").read_text() == "old"
    assert not leftovers(tmp_path)


def test_a_folder_replaces_the_old_one_whole(tmp_path: Path) -> None:
    for content in ("old", "new"):
        with atomic_folder(tmp_path / "m") as temporary:
            (temporary / content).write_text(content)
    assert [path.name for path in (tmp_path / "m").iterdir()] == ["new"]
    assert not leftovers(tmp_path)


@pytest.mark.parametrize("failing", [1, 2])
def test_a_folder_that_cannot_be_put_in_place_keeps_the_old_one(
    tmp_path: Path, failing: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with atomic_folder(tmp_path / "m") as temporary:
        (temporary / "old").write_text("old")
    replace, calls = os.replace, []

    def some(source: str, target: str) -> None:
        calls.append(target)
        if len(calls) == failing:
            refuse()
        replace(source, target)

    monkeypatch.setattr(os, "replace", some)
    with pytest.raises(WriteError, match="unchanged"), atomic_folder(tmp_path / "m") as temporary:
        (temporary / "new").write_text("new")
    assert [path.name for path in (tmp_path / "m").iterdir()] == ["old"]
    assert not leftovers(tmp_path)


def test_a_place_that_is_a_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError, match=r"inside: cannot be written \(.*file is a file, not a folder\)"):
        write_text(tmp_path / "file" / "inside", "x")
    with (
        pytest.raises(WriteError, match=r"inside: cannot be written \(.*file is a file, not a folder\)"),
        atomic_folder(tmp_path / "file" / "inside"),
    ):
        pass


def test_the_cache_is_where_the_user_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALBERTKIT_CACHE", str(tmp_path / "own"))
    assert cache_folder("features") == tmp_path / "own" / "features"
    monkeypatch.delenv("ALBERTKIT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder("features") == tmp_path / "xdg" / "albertkit" / "features"
    assert cache_folder("features").is_dir()
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ALBERTKIT_CACHE", str(tmp_path / "file"))
    with pytest.raises(WriteError, match="set ALBERTKIT_CACHE to a folder that can be written"):
        cache_folder("features")


@pytest.mark.parametrize(
    ("umask", "file", "folder"), [(0o022, 0o644, 0o755), (0o027, 0o640, 0o750), (0o002, 0o664, 0o775)]
)
def test_permissions_follow_the_umask(tmp_path: Path, umask: int, file: int, folder: int) -> None:
    before = os.umask(umask)
    try:
        write_tensors(tmp_path / "model.safetensors", {"a": torch.ones(3)})  # the library makes its files 0600
        write_text(tmp_path / "t.txt", "text")
        with atomic_folder(tmp_path / "m") as temporary:
            write_text(temporary / "t.txt", "text")
    finally:
        os.umask(before)
    for path in ("model.safetensors", "t.txt", "m/t.txt"):
        assert (tmp_path / path).stat().st_mode & 0o777 == file, path
    assert (tmp_path / "m").stat().st_mode & 0o777 == folder


def test_a_block_that_writes_nothing_keeps_the_old_file(tmp_path: Path) -> None:
    write_text(tmp_path / "t.txt", "old")
    with pytest.raises(WriteError, match="cannot be written"), atomic_file(tmp_path / "t.txt"):
        pass
    assert (tmp_path / "t.txt").read_text() == "old"


def test_leftovers_of_killed_writers(tmp_path: Path) -> None:
    names = {".last.pt.4711.tmp": True, ".model.k3j_x81p.tmp": True, ".model.k3j_x81p.old": True,
             ".model.0123456789ab.tmp": True, ".last.pt.tmp": False,
             "last.pt.4711.tmp": False, ".gitignore": False, ".env.local.tmp": False}  # fmt: skip
    for name, is_one in names.items():
        assert is_leftover(tmp_path / name) == is_one
        (tmp_path / name).write_text("x")
    (tmp_path / "model").mkdir()
    remove_leftovers(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {name for name in names if not names[name]} | {"model"}
    remove_leftovers(tmp_path / "nowhere")
    with atomic_file(tmp_path / "t.txt") as temporary:
        assert is_leftover(temporary)
        temporary.write_text("x")
    with atomic_folder(tmp_path / "f") as temporary:
        assert is_leftover(temporary)


@pytest.mark.parametrize("content", [b"\xff", b"{", b"[" * 100_000, b""])
def test_json_that_cannot_be_read(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "t.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"."):
        read_json(tmp_path / "t.json")
