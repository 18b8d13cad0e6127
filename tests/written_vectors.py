"""Vectors that are all here, written to a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from albertkit.io.vectors import MadeBy, open_vectors


def write_vectors(
    path: Path, vectors: npt.NDArray[np.float32], *, texts: Sequence[str], made_by: MadeBy | None = None
) -> None:
    """Write vectors `[texts, dimensions]` with their texts."""
    with open_vectors(path, dimensions=vectors.shape[1], made_by=made_by) as write:
        write(vectors, texts, {})
