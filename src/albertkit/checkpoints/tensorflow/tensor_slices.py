"""The keys under which a checkpoint's index keeps the pieces of a partitioned variable.

A key is a run of codes whose bytes sort like their values, made by EncodeTensorNameSlice in
tensorflow/core/util/saved_tensor_slice_util.cc of the codes in tensorflow/core/lib/strings/ordered_code.cc.
"""

from __future__ import annotations

from typing import TypeAlias

Extents: TypeAlias = "tuple[tuple[int, int], ...]"
"""`(start, length)` for each dimension; length -1 is the whole dimension."""


def slice_key(name: str, extents: Extents) -> bytes:
    """Return the key of one piece.

    >>> slice_key("w", ((0, 2), (0, -1)))
    b'\\x00w\\x00\\x01\\x01\\x02\\x80\\x82\\x80\\x7f'

    Args:
        name: the whole variable's name.
        extents: the position of the piece in it.
    """
    escaped = name.encode().replace(b"\0", b"\0\xff").replace(b"\xff", b"\xff\0")
    assert b"\0" not in name.encode(), name  # the two replacements would meet; UTF-8 has no byte 0xff
    rank = len(extents)
    key = b"\0" + escaped + b"\0\1" + (bytes([1, rank]) if rank else b"\0")
    return key + b"".join(_signed(start) + _signed(length) for start, length in extents)


def _signed(value: int) -> bytes:
    """Encode a whole number of up to 64 bits: as many leading bits as bytes, inverted where it is negative."""
    magnitude = ~value if value < 0 else value
    length = magnitude.bit_length() // 7 + 1  # 7 bits a byte, one of them the sign
    header = ((1 << length) - 1) << (7 * length) if length <= 9 else 0xFFC0 << (8 * length - 16)
    bits = 8 * length
    return ((header ^ value) & ((1 << bits) - 1)).to_bytes(length, "big")
