"""The files of a teacher, and a digest of them: by it the cache finds what the teacher gave before."""

from __future__ import annotations

import hashlib
from pathlib import Path

from albertkit.errors import CheckpointError
from albertkit.models.model_files import model_source

_BLOCK = 1 << 20  # bytes


def teacher_files(name: str) -> list[Path]:
    """Return the files of a teacher, sorted.

    Raises:
        UsageError: there is no such teacher.
    """
    source = model_source(name)
    inside = source.rglob("*") if source.is_dir() else source.parent.glob(f"{source.name}*")  # TensorFlow's: a prefix
    return sorted(path for path in inside if path.is_file() and not path.name.startswith("."))


def teacher_digest(name: str) -> str:
    """Return the SHA-256 of a teacher's files: the same teacher in another folder has the same vectors.

    Raises:
        UsageError: there is no such teacher.
        CheckpointError: a file cannot be read.
    """
    source = model_source(name)
    digest = hashlib.sha256()
    for path in teacher_files(name):
        name_inside = path.relative_to(source) if source.is_dir() else path.name
        digest.update(f"{name_inside} {path.stat().st_size} ".encode("utf-8", "surrogateescape"))
        try:
            with open(path, "rb") as file:
                while block := file.read(_BLOCK):
                    digest.update(block)
        except OSError as error:
            raise CheckpointError(f"{path}: cannot be read ({error.strerror or error})") from error
    return digest.hexdigest()
