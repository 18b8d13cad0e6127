"""Read the index of a tensor bundle: its header and the entry of each tensor.

The messages are those of tensorflow/core/protobuf/tensor_bundle.proto and of the files that it includes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch

from albertkit.checkpoints.tensorflow.tensor_slices import Extents
from albertkit.errors import CheckpointError
from albertkit.io.protobuf import BYTES, FIXED32, VARINT, Field, read_fields

VERSION = 1
"""Version of the format that this file reads (kTensorBundleVersion)."""

STRING = 7
"""The number of DT_STRING."""

# fmt: off
DTYPES: Mapping[int, torch.dtype] = MappingProxyType({
    1: torch.float32, 2: torch.float64, 3: torch.int32, 4: torch.uint8, 5: torch.int16, 6: torch.int8,
    8: torch.complex64, 9: torch.int64, 10: torch.bool, 14: torch.bfloat16, 17: torch.uint16, 18: torch.complex128,
    19: torch.float16, 22: torch.uint32, 23: torch.uint64,
})
"""Number in tensorflow/core/framework/types.proto -> type, of those that hold plain numbers."""
# fmt: on

_MOST_FIELDS = 1024  # six, and one for each piece of a partitioned variable
_AGAIN = "the file is corrupt, copy or download it again"


@dataclass(frozen=True)
class BundleEntry:
    """What the index says of one tensor."""

    dtype: int
    """Number of the type; see `DTYPES` and `STRING`."""
    shape: tuple[int, ...]
    """Lengths of the dimensions; () for a scalar."""
    shard_id: int
    """Number of the data file."""
    offset: int
    """First byte in the data file."""
    size: int
    """Number of bytes there."""
    crc32c: int
    """Masked checksum of those bytes."""
    slices: tuple[Extents, ...] = ()
    """The pieces of a partitioned variable, each `(start, length)` by dimension, where length -1 is all of it."""


def read_header(table: Mapping[bytes, bytes], where: str) -> int:
    """Read the header (BundleHeaderProto), which is stored under the empty key."""
    if b"" not in table:
        raise CheckpointError(f"{where}: has no header of a TensorFlow checkpoint; it is of another format")
    fields = list(read_fields(table[b""], where=where))
    if any(field.number == 1 and field.wire_type == BYTES for field in fields):  # SavedTensorSlices.meta
        raise CheckpointError(
            f"{where}: is a checkpoint of TensorFlow's first format (before 2017), which is not read; "
            "load it with TensorFlow and save it again with tf.train.Saver"
        )
    numbers = {field.number: _number(field, where) for field in fields if field.number in (1, 2)}
    if numbers.get(2, 0) != 0:
        raise CheckpointError(
            f"{where}: was written on a big-endian machine, which is not read; load it with TensorFlow on any other "
            "machine and save it again"
        )
    for field in fields:
        if field.number == 3:  # VersionDef: 1 producer, 2 min_consumer
            version = {part.number: part for part in read_fields(_content(field, where), where=where)}
            needed = _number(version[2], where) if 2 in version else 0
            if needed > VERSION:
                raise CheckpointError(
                    f"{where}: needs a reader of version {needed} of the format, this one is {VERSION}; "
                    "pip install --upgrade albertkit"
                )
    return numbers.get(1, 0)


def read_entry(value: bytes, where: str) -> BundleEntry:
    """Read a BundleEntryProto; a field that is absent is 0."""
    numbers = dict.fromkeys((1, 3, 4, 5), 0)
    shape: tuple[int, ...] = ()
    checksum = 0
    slices: list[Extents] = []
    for count, field in enumerate(read_fields(value, where=where)):
        if count >= _MOST_FIELDS:
            raise CheckpointError(
                f"{where}: an entry has more than {_MOST_FIELDS} fields, as no variable has; {_AGAIN}"
            )
        if field.number in numbers:
            numbers[field.number] = _number(field, where)
        elif field.number == 2:
            shape = _read_shape(_content(field, where), where)
        elif field.number == 6:
            if field.wire_type != FIXED32 or not isinstance(field.value, bytes):
                raise CheckpointError(f"{where}: a checksum is not a number of four bytes; {_AGAIN}")
            checksum = int.from_bytes(field.value, "little")
        elif field.number == 7:
            slices.append(tuple(_read_extents(_content(field, where), where)))
    dtype, shard_id, offset, size = numbers.values()
    return BundleEntry(dtype, shape, shard_id, offset, size, checksum, tuple(slices))


def _read_shape(data: bytes, where: str) -> tuple[int, ...]:
    """Read a TensorShapeProto: 2 dim {1 size}, 3 unknown_rank."""
    shape = []
    for field in read_fields(data, where=where):
        if field.number == 3 and field.value:
            raise CheckpointError(f"{where}: a tensor has no known shape; {_AGAIN}")
        if field.number == 2:
            sizes = [
                _number(part, where) for part in read_fields(_content(field, where), where=where) if part.number == 1
            ]
            shape.append(sizes[-1] if sizes else 0)
        if len(shape) > 64:  # torch's limit
            raise CheckpointError(f"{where}: a tensor has more than 64 dimensions; {_AGAIN}")
    return tuple(shape)


def _read_extents(data: bytes, where: str) -> Iterator[tuple[int, int]]:
    """Read a TensorSliceProto: 1 extent {1 start, 2 length}; without a length the extent is the whole dimension."""
    for count, field in enumerate(read_fields(data, where=where)):
        if count >= 64:  # torch's limit of dimensions
            raise CheckpointError(f"{where}: a piece of a variable has more than 64 dimensions; {_AGAIN}")
        if field.number == 1:
            parts = {part.number: part for part in read_fields(_content(field, where), where=where)}
            start = _number(parts[1], where) if 1 in parts else 0
            yield start, _number(parts[2], where) if 2 in parts else -1


def _number(field: Field, where: str) -> int:
    # Negative numbers arrive as those from 2**63 on; no size or place here can be either.
    if field.wire_type != VARINT or not isinstance(field.value, int) or field.value >> 63:
        raise CheckpointError(f"{where}: field {field.number} holds an impossible number; {_AGAIN}")
    return field.value


def _content(field: Field, where: str) -> bytes:
    if field.wire_type != BYTES or not isinstance(field.value, bytes):
        raise CheckpointError(f"{where}: field {field.number} of an entry is not a message; {_AGAIN}")
    return field.value
