"""A one-dimensional .npy file that grows: its head is written last, when the length is known."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from albertkit.io.file_digests import sha256_of

PARTS = ("tokens", "sentences", "documents")
"""The files of a shard, in the order in which each divides the one before."""

_HEAD = 128  # bytes; a multiple of 64, as the format asks for, with room for any length


class ArrayFile:
    """Appends arrays to a file under a temporary name; `finish` puts it in place.

    Args:
        path: the .npy file.
        dtype: type of its elements.
    """

    def __init__(self, path: Path, *, dtype: np.dtype[Any]) -> None:
        self.path = path
        self.dtype = dtype
        self.length = 0
        self._temporary = path.with_name(f".{path.name}.tmp")
        self._file = open(self._temporary, "wb")  # noqa: SIM115 - closed by finish or discard
        self._file.write(bytes(_HEAD))

    def append(self, array: npt.NDArray[Any]) -> None:
        """Write elements behind those that are there.

        Raises:
            OSError: the system refused.
        """
        self._file.write(np.ascontiguousarray(array, dtype=self.dtype).data)
        self.length += len(array)

    def finish(self) -> str:
        """Write the head, put the file in place and return its sha256.

        Raises:
            OSError: the system refused.
        """
        self._file.seek(0)
        self._file.write(_head(self.length, dtype=self.dtype))
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        digest = sha256_of(self._temporary)
        os.replace(self._temporary, self.path)
        return digest

    def discard(self) -> None:
        """Close and remove a file that was not finished."""
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            self._temporary.unlink()

    @staticmethod
    def size(length: int, *, dtype: np.dtype[Any]) -> int:
        """Return the bytes of a finished file of `length` elements."""
        return _HEAD + length * dtype.itemsize


def _head(length: int, *, dtype: np.dtype[Any]) -> bytes:
    # Format 1.0: magic, version, little-endian length of the rest, a Python dict padded with spaces to the end.
    text = f"{{'descr': '{dtype.str}', 'fortran_order': False, 'shape': ({length},), }}"
    return b"\x93NUMPY\x01\x00" + (_HEAD - 10).to_bytes(2, "little") + text.encode().ljust(_HEAD - 11) + b"\n"
