"""Digests of files: whether a file is what was downloaded, whether a model is the one that was used before."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from albertkit.errors import CheckpointError

_BLOCK = 2**20  # bytes


def sha256_of(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file, read in parts.

    Raises:
        OSError: it cannot be read.
    """
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def model_files(path: Path) -> list[Path]:
    """Return the files of a model, sorted: all in a folder, one file, or those of a TensorFlow checkpoint's prefix."""
    if path.is_file():
        return [path]
    inside = path.rglob("*") if path.is_dir() else path.parent.iterdir()
    files = (each for each in inside if each.is_file() and not each.name.startswith("."))
    return sorted(each for each in files if path.is_dir() or each.name.startswith(f"{path.name}."))


def model_digest(path: Path) -> str:
    """Return the SHA-256 of a model's files: the same files in another folder have the same digest.

    Args:
        path: see `model_files`.

    Raises:
        CheckpointError: a file cannot be read.
    """
    digest = hashlib.sha256()
    for file in model_files(path):
        name = file.relative_to(path if path.is_dir() else path.parent)
        try:
            digest.update(f"{name} {file.stat().st_size} ".encode("utf-8", "surrogateescape"))
            with open(file, "rb") as opened:
                while block := opened.read(_BLOCK):
                    digest.update(block)
        except OSError as error:
            raise CheckpointError(f"{file}: cannot be read ({error.strerror or error})") from error
    return digest.hexdigest()
