"""CRC-32C as TensorFlow stores it: masked, since a checksum of bytes that hold checksums would be a weak one.

The rotation and the constant are those of tensorflow/core/lib/hash/crc32c.h.
"""

from __future__ import annotations

from typing import Any

import google_crc32c

_DELTA = 0xA282EAD8
_ALL = 0xFFFFFFFF


def masked_crc32c(*parts: Any) -> int:
    """Return the masked checksum of the parts, one after the other.

    >>> hex(masked_crc32c(b"1234", b"56789"))
    '0xc78ab0e5'

    Args:
        parts: `bytes`, or NumPy arrays of uint8 `[n]` in one piece, which are not copied.
    """
    crc = 0
    for part in parts:
        crc = google_crc32c.extend(crc, part)
    return ((crc >> 15 | crc << 17) + _DELTA) & _ALL
