"""Rows of numbers that a teacher gives for texts: kept on disk, some thousand texts per file, and found again.

The name of a file is the digest of the teacher and its texts. A run that was stopped, another student and the other
half of the processes find what is there; nothing else has to be kept in step.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from albertkit.io.files import atomic_file, cache_folder
from albertkit.training.digest import texts_digest

Text: TypeAlias = "str | tuple[str, str]"
Array = npt.NDArray[Any]
TEXTS = 1024
"""Texts per file: what a stop loses at most, per process."""


class RowCache:
    """The cache of one teacher.

    Args:
        digest: digest of the teacher and of whatever else changes its numbers.
        width: numbers per text.
        dtype: their type on disk.
    """

    def __init__(self, digest: str, *, width: int, dtype: npt.DTypeLike) -> None:
        self.digest = digest
        self.width = width
        self.dtype = np.dtype(dtype)

    def rows(
        self,
        texts: Sequence[Text],
        compute: Callable[[list[Sequence[Text]]], Iterator[Array]],
        *,
        per_file: int = TEXTS,
        progress: Callable[[int], None] | None = None,
    ) -> Array:
        """Return a row for each text, `[texts, width]`; what is not in the cache is computed.

        Args:
            texts: at least one; texts or pairs.
            compute: gets the chunks that are missing; gives the rows of each, in order.
            per_file: texts per file.
            progress: called with the number of texts that were found in the cache.

        Raises:
            WriteError: the cache cannot be written.
        """
        folder = cache_folder("teachers")
        chunks = [texts[start : start + per_file] for start in range(0, len(texts), per_file)]
        paths = [folder / f"{self._name(chunk)}.npz" for chunk in chunks]
        found = [self._read(path, rows=len(chunk)) for path, chunk in zip(paths, chunks, strict=True)]
        if progress is not None:
            progress(sum(len(part) for part in found if part is not None))
        missing = [number for number, part in enumerate(found) if part is None]
        for number, rows in zip(missing, compute([chunks[number] for number in missing]), strict=True):
            part = rows.astype(self.dtype)
            with atomic_file(paths[number]) as temporary, open(temporary, "wb") as file:
                np.savez(file, vectors=part)
            found[number] = part
        return np.concatenate([part for part in found if part is not None])

    def _name(self, texts: Sequence[Text]) -> str:
        single = all(isinstance(text, str) for text in texts)
        parts = [part for text in texts for part in ((text,) if isinstance(text, str) else text)]
        kind = "" if single else " pairs"  # "a", "b" and the pair of both are not the same
        return hashlib.sha256(f"{self.digest}{kind} {texts_digest(parts)}".encode()).hexdigest()

    def _read(self, path: Path, *, rows: int) -> Array | None:
        """Return what a file holds; None where it is missing or damaged (zip's checksum tells)."""
        if not path.is_file():
            return None
        try:
            # Opened here, since NumPy leaves a file open that is no zip archive.
            with open(path, "rb") as raw, np.load(raw, allow_pickle=False) as file:
                found: Array = file["vectors"]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None
        return found if found.shape == (rows, self.width) and found.dtype == self.dtype else None
