"""Sorted string tables: the file of keys and values in which TensorFlow keeps the index of a checkpoint.

A table is a row of blocks. A data block holds entries in the order of their keys, each key without what it shares with
the one before; the index block names the data blocks; the footer, 48 bytes with a magic number, names the index block.
The format is LevelDB's, here as tensorflow/core/lib/io/{table_builder,block_builder,format}.cc write it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

from albertkit.checkpoints.tensorflow.crc32c import masked_crc32c
from albertkit.errors import CheckpointError
from albertkit.io.protobuf import ProtobufError, read_varint

MAGIC = struct.pack("<Q", 0xDB4775248B80FB57)
"""The last eight bytes of every table."""

LARGEST_TABLE = 512 << 10
"""Largest file that is read, in bytes; the index of a checkpoint takes about 100 bytes for each tensor."""

_LARGEST_KEY = 1024
_MOST_ENTRIES = 10_000
_FOOTER = 48
_TRAILER = 5  # one byte for the compression, four for the checksum
_RESTART_INTERVAL = 16  # TensorFlow's default, as the size of a block
_BLOCK_SIZE = 262_144


def is_table(path: Path) -> bool:
    """Return whether a file ends like a table; False for what cannot be read."""
    try:
        with path.open("rb") as file:
            if file.seek(0, 2) < _FOOTER:
                return False
            file.seek(-len(MAGIC), 2)
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def read_table(path: Path) -> dict[bytes, bytes]:
    """Read all entries, in the order of their keys.

    Raises:
        CheckpointError: absent, truncated, corrupt or compressed, or larger than an index can be.
    """
    data = _content(path)
    try:
        index, _ = _block(data, _index_handle(data, path), path)
        entries: dict[bytes, bytes] = {}
        last, end = b"", 0
        for _, value in _entries(index, path):
            handle = _handle(value)
            if handle[0] < end:  # in a row, so that no file makes the same block be read many times
                raise CheckpointError(f"{path}: its blocks are not in a row; {_AGAIN}")
            block, end = _block(data, handle, path)
            for key, content in _entries(block, path):
                if entries and key <= last:
                    raise CheckpointError(f"{path}: its keys are not in order at {key[:80]!r}; {_AGAIN}")
                if len(entries) == _MOST_ENTRIES:
                    raise CheckpointError(f"{path}: has more than {_MOST_ENTRIES} entries, as no ALBERT model has")
                entries[key] = content
                last = key
        return entries
    except ProtobufError as error:
        raise CheckpointError(f"{path}: a length in it is cut off; {_AGAIN}") from error


_AGAIN = "the file is corrupt, copy or download it again"


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_TABLE + 1)
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: the file is missing; copy it into the folder of the checkpoint") from error
    except OSError as error:
        raise CheckpointError(
            f"{path}: cannot be read ({error.strerror}); check the path and its permissions"
        ) from error
    if len(data) > LARGEST_TABLE:
        raise CheckpointError(f"{path}: is larger than {LARGEST_TABLE >> 10} KiB, as no index of an ALBERT model is")
    if data.startswith(b"version https://git-lfs"):
        raise CheckpointError(f"{path}: this is a Git LFS pointer, not the file; git lfs pull fetches it")
    if len(data) < _FOOTER or not data.endswith(MAGIC):
        what = "is empty" if not data else "does not end as an index of TensorFlow does"
        raise CheckpointError(f"{path}: {what}, it is truncated or of another format; copy or download it again")
    return data


def _index_handle(data: bytes, path: Path) -> tuple[int, int]:
    footer = data[-_FOOTER:]
    position = 0
    for _ in range(2):  # the handle of the meta index, which TensorFlow leaves empty
        _, position = read_varint(footer, position, where=str(path))
    return _handle(footer[position:])


def _handle(value: bytes) -> tuple[int, int]:
    offset, position = read_varint(value, 0)
    return offset, read_varint(value, position)[0]


def _block(data: bytes, handle: tuple[int, int], path: Path) -> tuple[bytes, int]:
    """Return the entries of a checked block, without its restart points, and where the block ends in the file."""
    offset, size = handle
    end = offset + size + _TRAILER
    if end > len(data) - _FOOTER:
        raise CheckpointError(f"{path}: names a block up to byte {end}, beyond its own end; {_AGAIN}")
    (stored,) = struct.unpack_from("<I", data, end - 4)
    if masked_crc32c(data[offset : end - 4]) != stored:
        raise CheckpointError(f"{path}: the checksum of the block at byte {offset} does not fit; {_AGAIN}")
    if data[end - _TRAILER] != 0:
        raise CheckpointError(
            f"{path}: its blocks are compressed, which no release of TensorFlow does with an index; "
            "load the checkpoint with the program that wrote it and save it with tf.train.Saver"
        )
    restarts = int.from_bytes(data[offset + size - 4 : offset + size], "little") if size >= 4 else 0
    length = size - 4 - 4 * restarts
    if size < 4 or length < 0:
        raise CheckpointError(f"{path}: the block at byte {offset} is too short for what it claims; {_AGAIN}")
    return data[offset : offset + length], end


def _entries(block: bytes, path: Path) -> Iterator[tuple[bytes, bytes]]:
    position, key = 0, b""
    while position < len(block):
        shared, position = read_varint(block, position)
        own, position = read_varint(block, position)
        size, position = read_varint(block, position)
        if shared > len(key) or shared + own > _LARGEST_KEY or own + size > len(block) - position:
            raise CheckpointError(f"{path}: an entry has impossible lengths; {_AGAIN}")
        key = key[:shared] + block[position : position + own]
        position += own
        yield key, block[position : position + size]
        position += size


def table_bytes(entries: Mapping[bytes, bytes]) -> bytes:
    """Return the table that holds the entries, block for block as TensorFlow builds it.

    Args:
        entries: key -> value, in any order.
    """
    data, index, block = bytearray(), _BlockBuilder(1), _BlockBuilder(_RESTART_INTERVAL)
    keys = sorted(entries)
    for number, key in enumerate(keys, start=1):
        block.add(key, entries[key])
        if block.size >= _BLOCK_SIZE or number == len(keys):
            index.add(_separator(key, keys[number] if number < len(keys) else None), _append(data, block))
            block = _BlockBuilder(_RESTART_INTERVAL)
    footer = _append(data, _BlockBuilder(_RESTART_INTERVAL)) + _append(data, index)
    return bytes(data) + footer.ljust(_FOOTER - len(MAGIC), b"\0") + MAGIC


def _separator(last: bytes, following: bytes | None) -> bytes:
    """Return TensorFlow's short key from the last of a block up to, and without, the first of the following one."""
    if following is None:
        place = next((place for place, byte in enumerate(last) if byte != 0xFF), None)
        return last if place is None else last[:place] + bytes([last[place] + 1])
    pairs = zip(last, following, strict=False)
    place = next((place for place, (one, other) in enumerate(pairs) if one != other), None)
    if place is None or last[place] == 0xFF or last[place] + 1 >= following[place]:
        return last
    return last[:place] + bytes([last[place] + 1])


class _BlockBuilder:
    def __init__(self, interval: int) -> None:
        self.interval, self.count, self.last = interval, 0, b""
        self.content, self.restarts = bytearray(), [0]

    @property
    def size(self) -> int:
        return len(self.content) + 4 * len(self.restarts) + 4

    def add(self, key: bytes, value: bytes) -> None:
        shared = 0
        if self.count and self.count % self.interval == 0:
            self.restarts.append(len(self.content))
        else:
            while shared < min(len(key), len(self.last)) and key[shared] == self.last[shared]:
                shared += 1
        self.content += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        self.count += 1
        self.last = key

    def finished(self) -> bytes:
        return bytes(self.content) + struct.pack(f"<{len(self.restarts) + 1}I", *self.restarts, len(self.restarts))


def _append(data: bytearray, block: _BlockBuilder) -> bytes:
    """Put a block at the end of the file; return its handle."""
    content = block.finished()
    handle = varint(len(data)) + varint(len(content))
    typed = content + b"\0"
    data += typed + struct.pack("<I", masked_crc32c(typed))
    return handle


def varint(value: int) -> bytes:
    """Return a whole number from 0 as protobuf and tables write it.

    >>> varint(150)
    b'\\x96\\x01'
    """
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
