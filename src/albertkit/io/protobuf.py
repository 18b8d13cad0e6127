"""A small reader of the protobuf wire format: a message as (number, wire type, value), with every length checked.

Enough for SentencePiece models and TensorFlow's graph files without the protobuf library and without their schemas.
Only what is asked for is taken apart: a nested message is a `bytes` value that goes through `read_fields` again.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from albertkit.errors import AlbertkitError

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""Wire types. Groups (3 and 4) left the format long ago and are refused."""

_FIXED = {FIXED64: 8, FIXED32: 4}
_LARGEST_NUMBER = (1 << 29) - 1


class ProtobufError(AlbertkitError):
    """Bytes that are not a protobuf message: truncated, or with lengths and numbers that cannot be."""


class Field(NamedTuple):
    """One field of a message."""

    number: int
    """The field's number in the schema, from 1."""
    wire_type: int
    """VARINT, FIXED64, BYTES or FIXED32."""
    value: int | bytes
    """A VARINT's number (unsigned, 64 bits); the raw bytes of the others."""


def read_varint(data: bytes, position: int, *, where: str = "message") -> tuple[int, int]:
    """Return the varint that starts at `position` and the position after it.

    >>> read_varint(bytes([0x96, 0x01]), 0)
    (150, 2)

    Args:
        data: the message.
        position: where to start, in bytes.
        where: what an error message calls the source.

    Raises:
        ProtobufError: the bytes end within it, or it is wider than 64 bits.
    """
    value = 0
    for index in range(10):
        if position + index >= len(data):
            raise ProtobufError(f"{where}: ends within a number at byte {position} of {len(data)}; the file is cut off")
        byte = data[position + index]
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            if value >> 64:
                break
            return value, position + index + 1
    raise ProtobufError(f"{where}: a number at byte {position} is wider than 64 bits; the file is corrupt")


def read_fields(data: bytes, *, where: str = "message") -> Iterator[Field]:
    """Walk over the fields of one message, in the order of the file.

    >>> list(read_fields(bytes([0x08, 0x96, 0x01, 0x12, 0x02, 0x68, 0x69])))
    [Field(number=1, wire_type=0, value=150), Field(number=2, wire_type=2, value=b'hi')]

    Args:
        data: the message.
        where: what an error message calls the source.

    Raises:
        ProtobufError: a field runs over the end, or has a number or wire type that cannot be.
    """
    position = 0
    while position < len(data):
        start = position
        key, position = read_varint(data, position, where=where)
        number, wire_type = key >> 3, key & 7
        if not 1 <= number <= _LARGEST_NUMBER:
            raise ProtobufError(f"{where}: field number {number} at byte {start} does not exist; the file is corrupt")
        if wire_type == VARINT:
            value, position = read_varint(data, position, where=where)
            yield Field(number, wire_type, value)
            continue
        if wire_type == BYTES:
            length, position = read_varint(data, position, where=where)
        elif wire_type in _FIXED:
            length = _FIXED[wire_type]
        else:
            raise ProtobufError(f"{where}: wire type {wire_type} at byte {start} does not exist; the file is corrupt")
        if length > len(data) - position:
            raise ProtobufError(
                f"{where}: field {number} at byte {start} claims {length} bytes, {len(data) - position} are left; "
                "the file is cut off or corrupt"
            )
        yield Field(number, wire_type, data[position : position + length])
        position += length


def read_float(value: int | bytes, *, where: str = "message") -> float:
    """Return the float or double that a FIXED32 or FIXED64 value holds.

    >>> read_float(bytes([0, 0, 0x80, 0x3F]))
    1.0

    Args:
        value: the field's value.
        where: what an error message calls the source.

    Raises:
        ProtobufError: the value is neither 4 nor 8 bytes.
    """
    if not isinstance(value, bytes) or len(value) not in (4, 8):
        raise ProtobufError(f"{where}: expected a number, found {value!r:.40}; the file is corrupt")
    return float(struct.unpack("<f" if len(value) == 4 else "<d", value)[0])
