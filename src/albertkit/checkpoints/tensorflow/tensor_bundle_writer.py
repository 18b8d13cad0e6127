"""Writing a tensor bundle, byte for byte as TensorFlow does with the same tensors in the order of their names.

It follows BundleWriter in tensorflow/core/util/tensor_bundle/tensor_bundle.cc.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from albertkit.checkpoints.tensorflow.bundle_index import DTYPES, VERSION
from albertkit.checkpoints.tensorflow.crc32c import masked_crc32c
from albertkit.checkpoints.tensorflow.sstable import table_bytes, varint
from albertkit.io.files import atomic_file

_NUMBERS = {dtype: number for number, dtype in DTYPES.items()}


def write_bundle(prefix: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """Write `PREFIX.data-00000-of-00001`, then `PREFIX.index`.

    Args:
        prefix: path of the files without `.index`.
        tensors: name -> tensor on the CPU, of a type in `DTYPES`; names are not empty.

    Raises:
        WriteError: the system refused.
    """
    header = _number(1, 1) + _message(3, _number(1, VERSION))  # one data file; little endian is the default
    table = {b"": header}
    offset = 0
    with (
        atomic_file(prefix.with_name(f"{prefix.name}.data-00000-of-00001")) as temporary,
        temporary.open("wb") as file,
    ):
        for name in sorted(tensors, key=str.encode):
            tensor = tensors[name].detach()
            content = tensor.contiguous().view(-1).view(torch.uint8).numpy()
            file.write(content.data)
            assert name, "the empty key is the header's"
            table[name.encode()] = _entry(tensor, offset, masked_crc32c(content))
            offset += content.nbytes
    with atomic_file(prefix.with_name(f"{prefix.name}.index")) as temporary:
        temporary.write_bytes(table_bytes(table))


def _entry(tensor: torch.Tensor, offset: int, checksum: int) -> bytes:
    """Return the BundleEntryProto of a tensor; what is 0 is left out."""
    shape = b"".join(_message(2, _number(1, size)) for size in tensor.shape)
    return (
        _number(1, _NUMBERS[tensor.dtype])
        + _message(2, shape)
        + _number(4, offset)
        + _number(5, tensor.numel() * tensor.dtype.itemsize)
        + (bytes([6 << 3 | 5]) + checksum.to_bytes(4, "little") if checksum else b"")
    )


def _number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value) if value else b""


def _message(field: int, content: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(content)) + content
