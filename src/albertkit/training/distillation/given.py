"""Vectors that somebody else computed: an .npy file with one row per text, or a .parquet file of texts and vectors."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from albertkit.datasets.text_rows import Row
from albertkit.errors import DataError
from albertkit.io.vectors import VectorFile, unit
from albertkit.training.digest import texts_digest

SUFFIXES = (".npy", ".parquet")


def is_given(teacher: str) -> bool:
    """Return whether a teacher is a file of vectors.

    >>> is_given("vectors.npy"), is_given("runs/teacher")
    (True, False)
    """
    return Path(teacher).suffix.lower() in SUFFIXES


def read_given(teacher: str, rows: list[Row]) -> tuple[list[Row], npt.NDArray[np.float16]]:
    """Return the texts and their vectors, of length 1, `[texts, dimensions]`.

    Args:
        teacher: the file.
        rows: the texts of `--data`; a .parquet file has its own, which have to be the same where both are given.

    Raises:
        DataError: the file cannot be read; a vector is zero, not finite or of another width; the counts differ.
        MissingExtraError: Parquet without pyarrow.
    """
    path = Path(teacher)
    if path.suffix.lower() == ".npy":
        return rows, _from_npy(path, rows)
    file = VectorFile(path)
    texts: list[str] = []
    parts: list[npt.NDArray[np.float16]] = []
    for more, vectors in file.pieces():
        parts.append(_checked(vectors, path, first=len(texts) + 1))
        texts += more
    if not texts:
        raise DataError(f"{path}: the file has no rows; it needs texts and vectors")
    if rows:
        _compare_counts(path, len(texts), len(rows))
        other = next((row for row, text in zip(rows, texts, strict=True) if row.text != text), None)
        if other is not None:
            raise DataError(
                f"{other.place}: the text is not that of the same row of {path}; leave out --data, since the file "
                "has its own texts"
            )
    own = [Row(text, f"{path}, row {number}") for number, text in enumerate(texts, 1)]
    return own, np.concatenate(parts)


def given_digest(rows: list[Row], vectors: npt.NDArray[np.float16]) -> str:
    """Return a digest of texts with their vectors."""
    digest = hashlib.sha256(texts_digest([row.text for row in rows]).encode())
    digest.update(np.ascontiguousarray(vectors).tobytes())
    return digest.hexdigest()


def unusable(vectors: npt.NDArray[np.floating]) -> int | None:
    """Return the number of the first vector that is zero or not of finite numbers; None where all can be used.

    >>> unusable(np.array([[1.0, 0.0], [np.nan, 1.0]]))
    1
    """
    wrong = np.flatnonzero(~np.isfinite(vectors).all(axis=1) | ~vectors.any(axis=1))
    return int(wrong[0]) if len(wrong) else None


def _from_npy(path: Path, rows: list[Row]) -> npt.NDArray[np.float16]:
    if not path.is_file():
        raise DataError(f"{path}: there is no such file; check the path")
    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path}: cannot be read as an array of NumPy ({error!s:.200}); write it again") from error
    if found.ndim != 2 or not np.issubdtype(found.dtype, np.floating) or not found.size:
        raise DataError(
            f"{path}: holds {found.dtype} of shape {list(found.shape)}; it needs one row of floating-point numbers per "
            "text"
        )
    _compare_counts(path, len(found), len(rows))
    return _checked(found, path, first=1)


def _compare_counts(path: Path, vectors: int, texts: int) -> None:
    if vectors != texts:
        raise DataError(
            f"{path}: {vectors:,} vectors for {texts:,} texts of --data; give one vector per text, in order"
        )


def _checked(vectors: npt.NDArray[np.floating], path: Path, *, first: int) -> npt.NDArray[np.float16]:
    with np.errstate(over="ignore", invalid="ignore"):  # values that are not finite are reported below
        found = unit(vectors.astype(np.float32))
    wrong = unusable(found)
    if wrong is not None:
        raise DataError(
            f"{path}, row {first + wrong}: the vector is zero or not of finite numbers; compute it again, or leave the "
            "text out"
        )
    return found.astype(np.float16)
