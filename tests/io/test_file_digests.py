"""Digests of files, against hashlib on their content."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from albertkit.errors import CheckpointError
from albertkit.io.file_digests import model_digest, model_files, sha256_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model's folder, with a hidden file."""
    (tmp_path / "made" / "inner").mkdir(parents=True)
    for name, content in {"config.json": "{}", "inner/weights": "w" * 3_000_000, ".lock": "1"}.items():
        (tmp_path / "made" / name).write_text(content)
    return tmp_path / "made"


def test_the_digest_of_a_file_is_that_of_its_content(folder: Path) -> None:
    assert sha256_of(folder / "inner" / "weights") == hashlib.sha256(b"w" * 3_000_000).hexdigest()


def test_the_same_files_in_another_folder_have_the_same_digest(folder: Path, tmp_path: Path) -> None:
    copied = shutil.copytree(folder, tmp_path / "copied", ignore=shutil.ignore_patterns(".lock"))
    assert model_digest(copied) == model_digest(folder)
    (copied / "config.json").write_text("[]")
    assert model_digest(copied) != model_digest(folder)


def test_a_moved_file_is_another_model(folder: Path) -> None:
    before = model_digest(folder)
    (folder / "inner" / "weights").rename(folder / "weights")
    assert model_digest(folder) != before


def test_the_files_of_a_prefix_are_not_those_of_a_longer_one(tmp_path: Path) -> None:
    for name in ("model.ckpt-1.index", "model.ckpt-1.data-00000-of-00001", "model.ckpt-10.index"):
        (tmp_path / name).write_text(name)
    assert [file.name for file in model_files(tmp_path / "model.ckpt-1")] == [
        "model.ckpt-1.data-00000-of-00001",
        "model.ckpt-1.index",
    ]
    assert model_files(tmp_path / "model.ckpt-10.index") == [tmp_path / "model.ckpt-10.index"]


def test_a_file_that_cannot_be_read_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(CheckpointError, match=r"config.json: cannot be read \(Permission denied\)"):
        model_digest(folder)
