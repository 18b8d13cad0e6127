"""The BSON wire format (bsonspec.org), as much of it as BSON.jl uses: read with every length checked, and written.

A document is a 32-bit length, then elements (type, name, value), then a zero byte; an array is a document whose names
are 0, 1, 2. `bson_julia.py` describes how Julia's types are encoded.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from albertkit.errors import CheckpointError

DOUBLE, STRING, DOCUMENT, ARRAY, BINARY, BOOLEAN, NULL, INT32, INT64 = 1, 2, 3, 4, 5, 8, 10, 16, 18
"""Types of elements, those of BSON.jl's `read.jl`."""

LARGEST = (1 << 31) - 1
"""Longest document, in bytes: the format's lengths have 32 bits."""

_FIXED = {DOUBLE: ("<d", 8), BOOLEAN: ("<?", 1), NULL: ("", 0), INT32: ("<i", 4), INT64: ("<q", 8)}
_ELEMENTS = 1_000_000  # a vocabulary of 250,000 pieces and the tensors of any ALBERT are far below it
_DEPTH = 64
_TEXT = 1 << 16  # bytes of a name or a string


def looks_like_bson(path: Path) -> bool:
    """Return whether a file could be BSON, by its first bytes."""
    try:
        with path.open("rb") as file:
            start = file.read(5)
    except OSError:
        return False
    return len(start) == 5 and int.from_bytes(start[:4], "little") >= 5 and start[4] in (*_FIXED, 2, 3, 4, 5)


def read_bson(path: Path) -> dict[str, Any]:
    """Read a file of one document: dictionaries, lists, text, numbers, None, and a `memoryview` for each binary.

    The binaries stay in the file, which is mapped into memory for as long as one of them is held.

    Raises:
        CheckpointError: absent, cut off, with a length or type that cannot be, or larger than any model needs.
    """
    try:
        with path.open("rb") as file:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:  # ValueError: the file is empty
        raise CheckpointError(f"{path}: cannot be read ({error}); copy or download the file again") from error
    return _Reader(data, path).document()


class _Reader:
    """Walks over a document with a stack of its own, so that no nesting is too deep for Python's."""

    def __init__(self, data: mmap.mmap, path: Path) -> None:
        self.data, self.view, self.path = data, memoryview(data), path
        self.position = 0

    def document(self) -> dict[str, Any]:
        root: dict[str, Any] = {}
        open_ones: list[tuple[dict[str, Any] | list[Any], int]] = [(root, self.end_of_document(len(self.data)))]
        if open_ones[0][1] != len(self.data):
            raise self.error(f"is {len(self.data)} bytes long and says {open_ones[0][1]}")
        elements = 0
        while open_ones:
            container, end = open_ones[-1]
            kind = self.byte(end)
            if kind == 0:
                if self.position != end:
                    raise self.error(f"a document ends before its length says, at byte {self.position}")
                open_ones.pop()
                continue
            elements += 1
            if elements > _ELEMENTS:
                raise self.error(f"has more than {_ELEMENTS} elements")
            name = self.name(end)
            value: Any
            if kind in (DOCUMENT, ARRAY):
                value = {} if kind == DOCUMENT else []
                open_ones.append((value, self.end_of_document(end - 1)))
                if len(open_ones) > _DEPTH:
                    raise self.error(f"is nested more than {_DEPTH} deep")
            else:
                value = self.value(kind, end - 1)
            if isinstance(container, list):
                container.append(value)
            elif name in container:
                raise self.error(f'holds "{name:.60}" twice in one document')
            else:
                container[name] = value
        return root

    def error(self, what: str) -> CheckpointError:
        return CheckpointError(f"{self.path}: {what}; the file is cut off or corrupt, copy or download it again")

    def take(self, size: int, end: int) -> int:
        """Skip `size` bytes, which must be before `end`; return where they start."""
        start = self.position
        if size < 0 or size > end - start:
            raise self.error(f"claims {size} bytes at byte {start}, where {max(0, end - start)} are left")
        self.position = start + size
        return start

    def byte(self, end: int) -> int:
        return self.data[self.take(1, end)]

    def length(self, end: int) -> int:
        return int(struct.unpack_from("<i", self.data, self.take(4, end))[0])

    def end_of_document(self, end: int) -> int:
        start = self.position
        length = self.length(end)
        if not 5 <= length <= end - start:
            raise self.error(f"a document at byte {start} claims {length} bytes, {end - start} are left")
        return start + length

    def name(self, end: int) -> str:
        stop = self.data.find(b"\0", self.position, min(end, self.position + _TEXT))
        if stop < 0:
            raise self.error(f"a name at byte {self.position} does not end")
        return self.text(self.take(stop + 1 - self.position, end), stop)

    def text(self, start: int, stop: int) -> str:
        try:
            return self.data[start:stop].decode("utf-8")
        except UnicodeDecodeError as error:
            raise self.error(f"has text at byte {start} that is not UTF-8") from error

    def value(self, kind: int, end: int) -> Any:
        if kind == STRING:
            length = self.length(end)
            if not 1 <= length <= _TEXT:
                raise self.error(f"a text at byte {self.position} claims {length} bytes")
            start = self.take(length, end)
            return self.text(start, start + length - 1)
        if kind == BINARY:
            length = self.length(end)
            self.take(1, end)  # the subtype, which BSON.jl ignores, too
            start = self.take(length, end)
            return self.view[start : start + length]
        if kind not in _FIXED:
            raise self.error(f"has an element of type {kind} before byte {self.position}, which BSON.jl does not write")
        code, size = _FIXED[kind]
        start = self.take(size, end)
        return struct.unpack_from(code, self.data, start)[0] if code else None


def write_bson(file: BinaryIO, document: Mapping[str, Any], *, where: str) -> None:
    """Write one document; whole numbers get 64 bits, as Julia's have.

    Args:
        file: open for writing.
        document: mappings, sequences, text, numbers, None, and bytes-like objects (one byte an item).
        where: what an error message calls the model.

    Raises:
        CheckpointError: it is larger than the format's lengths can say.
    """
    size = _size(document)
    if size > LARGEST:
        raise CheckpointError(
            f"{where}: takes {size} bytes, and a BSON file holds at most {LARGEST}; use another format"
        )
    _write_items(file, document)


def _items(value: Mapping[str, Any] | Sequence[Any]) -> list[tuple[str, Any]]:
    pairs = value.items() if isinstance(value, Mapping) else enumerate(value)
    return [(str(name), item) for name, item in pairs]


def _size(value: Any) -> int:
    if value is None:
        return 0
    if isinstance(value, bool):
        return 1
    if isinstance(value, (int, float)):
        return 8
    if isinstance(value, str):
        return 5 + len(value.encode())
    if isinstance(value, (bytes, memoryview)):
        return 5 + len(value)
    return 5 + sum(2 + len(name.encode()) + _size(item) for name, item in _items(value))


def _write_items(file: BinaryIO, value: Mapping[str, Any] | Sequence[Any]) -> None:
    file.write(struct.pack("<i", _size(value)))
    for name, item in _items(value):
        kind = next(kind for types, kind in _KINDS if isinstance(item, types))
        file.write(bytes((kind,)) + name.encode() + b"\0")
        if kind in (DOCUMENT, ARRAY):
            _write_items(file, item)
        elif kind == STRING:
            encoded = item.encode()
            file.write(struct.pack("<i", len(encoded) + 1) + encoded + b"\0")
        elif kind == BINARY:
            file.write(struct.pack("<iB", len(item), 0))
            file.write(item)
        elif kind != NULL:
            file.write(struct.pack(_FIXED[kind][0], item))
    file.write(b"\0")


_KINDS: tuple[tuple[Any, int], ...] = (
    (type(None), NULL),
    (bool, BOOLEAN),  # before int, which it is a kind of
    (int, INT64),
    (float, DOUBLE),
    (str, STRING),
    ((bytes, memoryview), BINARY),
    (Mapping, DOCUMENT),
    (Sequence, ARRAY),
)
