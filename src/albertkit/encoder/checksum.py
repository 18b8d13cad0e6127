"""A weight's checksum: whether any of its bytes has changed."""

from __future__ import annotations

import zlib

import google_crc32c
import torch
from torch import Tensor

_IS_FAST = google_crc32c.implementation == "c"  # 14 GB/s; in pure Python it would take seconds


def checksum(weight: Tensor) -> int:
    """Return the CRC-32C of a weight's bytes, or zlib's CRC-32 where google-crc32c has no compiled code.

    A CRC sees a change of any one number for certain, and other changes but for one in four billion.

    >>> checksum(torch.tensor([1.0, 2.0])) == checksum(torch.tensor([2.0, 1.0]))
    False

    Args:
        weight: on the processor, of any type.
    """
    data = weight.contiguous().view(torch.uint8).numpy()
    data.flags.writeable = False  # google_crc32c takes nothing else without a copy
    return int(google_crc32c.value(data)) if _IS_FAST else zlib.crc32(data.data)
