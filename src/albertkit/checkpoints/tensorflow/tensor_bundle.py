"""Read TensorFlow's tensor bundles: `PREFIX.index`, a sorted table of offsets, and `PREFIX.data-0000N-of-0000M`.

`bundle_index.py` parses the index. Strings and partitioned variables are laid out as in
tensorflow/core/util/tensor_bundle/tensor_bundle.cc. TensorFlow is not needed.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator, Mapping
from math import prod
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch

from albertkit.checkpoints.tensorflow.bundle_index import DTYPES, STRING, BundleEntry, read_entry, read_header
from albertkit.checkpoints.tensorflow.crc32c import masked_crc32c
from albertkit.checkpoints.tensorflow.sstable import read_table
from albertkit.checkpoints.tensorflow.tensor_slices import slice_key
from albertkit.errors import CheckpointError
from albertkit.io.protobuf import ProtobufError, read_varint

_LARGEST_STRING = 64 << 20
_AGAIN = "the file is corrupt, copy or download it again"


class Bundle:
    """The tensors of one checkpoint; the index is in memory, data are mapped when a tensor is asked for.

    Args:
        prefix: path of the files without `.index`.
        entries: name -> entry, in the order of the index.
        pieces: key in the index -> entry, for the pieces of partitioned variables.
        shards: the data files by number, with their sizes in bytes.
    """

    def __init__(
        self,
        prefix: Path,
        entries: Mapping[str, BundleEntry],
        pieces: Mapping[bytes, BundleEntry],
        shards: list[tuple[Path, int]],
    ) -> None:
        self.prefix = prefix
        self.entries = MappingProxyType(dict(entries))
        self._pieces = pieces
        self._shards = shards

    @property
    def index(self) -> Path:
        """Path of the index, for messages."""
        return _index_of(self.prefix)

    def tensor(self, name: str) -> torch.Tensor:
        """Return a tensor of numbers in the type of the file, after its checksum was compared.

        The tensor is memory-mapped: reading values takes memory, and writing to them does not change the file.

        Args:
            name: a name in `entries`.

        Raises:
            CheckpointError: no such tensor, a type without numbers, or bytes that are missing or damaged.
        """
        entry = self._entry(name)
        dtype = DTYPES.get(entry.dtype)
        if dtype is None:
            what = "text" if entry.dtype == STRING else f"values of TensorFlow's type {entry.dtype}"
            raise CheckpointError(f'{self.index}: "{name}" holds {what}, not numbers; the model cannot be read from it')
        return self._joined(name, entry, dtype) if entry.slices else self._numbers(name, entry, dtype)

    def bytes(self, name: str) -> bytes:
        """Return the content of a scalar string.

        Args:
            name: a name in `entries`.

        Raises:
            CheckpointError: no such tensor, not one string, larger than 64 MiB, or damaged bytes.
        """
        entry = self._entry(name)
        if entry.dtype != STRING or entry.shape or entry.slices:
            raise CheckpointError(f'{self.index}: "{name}" is not a single string; {_AGAIN}')
        if entry.size > _LARGEST_STRING:
            raise CheckpointError(f'{self.index}: "{name}" is a string of {entry.size} bytes, larger than any real one')
        path = self._shards[entry.shard_id][0]
        content = self._mapped(name, entry).tobytes()
        try:
            length, start = read_varint(content, 0)
        except ProtobufError as error:
            raise CheckpointError(f'{path}: the length of "{name}" is cut off; {_AGAIN}') from error
        if start + 4 + length != len(content) or length >> 32:
            raise CheckpointError(f'{path}: "{name}" has {len(content)} bytes, its length does not fit; {_AGAIN}')
        # Two checksums: of the length (as 32 bits), and of all with that first one in between.
        packed, stored = struct.pack("<I", length), content[start : start + 4]
        value = content[start + 4 :]
        if struct.pack("<I", masked_crc32c(packed)) != stored or masked_crc32c(packed, stored, value) != entry.crc32c:
            raise CheckpointError(f'{path}: the checksum of "{name}" does not fit; {_AGAIN}')
        return value

    def _entry(self, name: str) -> BundleEntry:
        if name not in self.entries:
            raise CheckpointError(f'{self.index}: has no tensor "{name}"; check that it is the right checkpoint')
        return self.entries[name]

    def _mapped(self, name: str, entry: BundleEntry) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
        """Map the bytes of one tensor; the mapping lives as long as the array does."""
        path, _ = self._shards[entry.shard_id]
        lead = entry.offset % mmap.ALLOCATIONGRANULARITY
        try:
            with path.open("rb") as file:
                # A private copy-on-write map: torch wants memory that it may write to, the file stays as it is.
                mapped = mmap.mmap(
                    file.fileno(), lead + entry.size, access=mmap.ACCESS_COPY, offset=entry.offset - lead
                )
        except (OSError, ValueError) as error:
            raise CheckpointError(
                f'{path}: "{name}" cannot be read ({error}); copy or download the file again'
            ) from error
        return np.frombuffer(mapped, dtype=np.uint8, count=entry.size, offset=lead)

    def _numbers(self, name: str, entry: BundleEntry, dtype: torch.dtype) -> torch.Tensor:
        if entry.size != prod(entry.shape) * dtype.itemsize:
            raise CheckpointError(
                f'{self.index}: "{name}" has {entry.size} bytes, but the shape {list(entry.shape)} and the type '
                f"{str(dtype).removeprefix('torch.')} take {prod(entry.shape) * dtype.itemsize}; {_AGAIN}"
            )
        if entry.size == 0:
            return torch.empty(entry.shape, dtype=dtype)
        content = self._mapped(name, entry)
        if masked_crc32c(content) != entry.crc32c:
            path = self._shards[entry.shard_id][0]
            raise CheckpointError(f'{path}: the checksum of "{name}" does not fit; {_AGAIN}')
        raw = torch.from_numpy(content)
        if dtype == torch.bool:
            return (raw != 0).view(entry.shape)  # any other byte than 0 and 1 is no bool of torch's
        if entry.offset % dtype.itemsize:
            raw = raw.clone()  # a string before it, of any length, leaves the numbers across the borders of words
        return raw.view(dtype).view(entry.shape)

    def _joined(self, name: str, entry: BundleEntry, dtype: torch.dtype) -> torch.Tensor:
        """Put a partitioned variable together; its pieces have entries of their own."""
        found = []
        for extents in entry.slices:
            piece = self._pieces.get(slice_key(name, extents))
            place = tuple(
                slice(0, whole) if length < 0 else slice(start, start + length)
                for (start, length), whole in zip(extents, entry.shape, strict=False)
            )
            shape = tuple(part.stop - part.start for part in place)
            inside = all(0 <= part.start <= part.stop <= whole for part, whole in zip(place, entry.shape, strict=False))
            if len(extents) != len(entry.shape) or not inside:
                raise CheckpointError(
                    f'{self.index}: a piece of "{name}" lies outside of {list(entry.shape)}; {_AGAIN}'
                )
            if piece is None or piece.slices or piece.dtype != entry.dtype or piece.shape != shape:
                raise CheckpointError(f'{self.index}: a piece of "{name}" is missing or of another shape; {_AGAIN}')
            found.append((place, piece))
        # The pieces' bytes exist (the index was checked), so a whole of the same size may be allocated.
        if sum(prod(piece.shape) for _, piece in found) != prod(entry.shape):
            raise CheckpointError(
                f'{self.index}: the pieces of "{name}" do not add up to {list(entry.shape)}; {_AGAIN}'
            )
        whole = torch.empty(entry.shape, dtype=dtype)
        covered = torch.zeros(entry.shape, dtype=torch.bool)
        for place, piece in found:
            whole[place] = self._numbers(name, piece, dtype)
            covered[place] = True
        if not bool(covered.all()):
            raise CheckpointError(f'{self.index}: the pieces of "{name}" overlap; {_AGAIN}')
        return whole


def read_bundle(prefix: Path) -> Bundle:
    """Read the index of a checkpoint and compare it with the sizes of its data files.

    Args:
        prefix: path without `.index`: `model.ckpt-best`, or `variables/variables` of a saved model.

    Raises:
        CheckpointError: a file is absent, the index is corrupt or claims more than the data files hold, or the
            checkpoint is one of TensorFlow's first format or of a big-endian machine.
    """
    index = _index_of(prefix)
    table = read_table(index)
    where = str(index)
    try:
        shards = list(_shards(prefix, read_header(table, where), index))
        entries: dict[str, BundleEntry] = {}
        pieces: dict[bytes, BundleEntry] = {}
        claimed = 0
        for key, value in table.items():
            if not key:
                continue
            entry = read_entry(value, where)
            if not entry.slices:
                claimed += entry.size
                _check_place(key, entry, shards, index)
            if key.startswith(b"\0"):  # as no name does
                pieces[key] = entry
            else:
                entries[_name(key, index)] = entry
    except ProtobufError as error:
        raise CheckpointError(str(error)) from error
    held = sum(size for _, size in shards)
    if claimed > held:  # tensors that share bytes would take more memory than the files have
        raise CheckpointError(f"{index}: its tensors take {claimed} bytes, the data files hold {held}; {_AGAIN}")
    return Bundle(prefix, entries, pieces, shards)


def _index_of(prefix: Path) -> Path:
    return prefix.with_name(prefix.name + ".index")


def _shards(prefix: Path, count: int, index: Path) -> Iterator[tuple[Path, int]]:
    if count < 1:
        raise CheckpointError(f"{index}: names no data file; {_AGAIN}")
    for number in range(count):  # a count that cannot be ends at the first file that is not there
        path = prefix.with_name(f"{prefix.name}.data-{number:05d}-of-{count:05d}")
        try:
            if not path.is_file():
                raise CheckpointError(f"{path}: the file is missing; copy it next to {index.name}")
            yield path, path.stat().st_size
        except OSError as error:
            raise CheckpointError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error


def _check_place(key: bytes, entry: BundleEntry, shards: list[tuple[Path, int]], index: Path) -> None:
    shown = key[:200].decode("utf-8", "replace")
    if entry.shard_id >= len(shards):
        raise CheckpointError(f'{index}: "{shown}" is in data file {entry.shard_id} of {len(shards)}; {_AGAIN}')
    path, held = shards[entry.shard_id]
    end = entry.offset + entry.size
    if end > held:
        raise CheckpointError(
            f'{path}: has {held} bytes, but "{shown}" ends at byte {end}; the file is cut off, copy it again'
        )


def _name(key: bytes, index: Path) -> str:
    try:
        return key.decode("utf-8")
    except UnicodeDecodeError as error:
        raise CheckpointError(f"{index}: the name {key[:80]!r} is not UTF-8; {_AGAIN}") from error


__all__ = ["DTYPES", "STRING", "Bundle", "BundleEntry", "read_bundle"]
