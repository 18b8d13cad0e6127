"""Padded arrays in .npz files: what `albertkit encode` reads and writes."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from albertkit.batching.batch import Batch
from albertkit.errors import DataError
from albertkit.io.files import atomic_file

NAMES = ("input_ids", "input_mask", "segment_ids")


def read_padded_batch(path: Path) -> tuple[Batch, npt.NDArray[np.bool_]]:
    """Read `input_ids`, `input_mask`, `segment_ids`, each `[n, length]`.

    Returns:
        The packed batch, and the mask `[n, length]`.

    Raises:
        DataError: the file is not such an archive, an array is missing or of another shape, a row holds no token.
    """
    try:
        # Opened here: of a damaged archive NumPy would leave the file open.
        with open(path, "rb") as file:
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise ValueError("it holds one array without a name")
            arrays = {name: np.asarray(archive[name]) for name in NAMES if name in archive}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: cannot be read as a .npz file ({error})") from error
    missing = [name for name in NAMES if name not in arrays]
    if missing:
        raise DataError(f"{path}: holds no array {', '.join(missing)}; it needs {', '.join(NAMES)}, each [n, length]")
    shapes = {name: array.shape for name, array in arrays.items()}
    if len(set(shapes.values())) > 1 or arrays["input_ids"].ndim != 2:
        raise DataError(f"{path}: the three arrays must have one shape [n, length]; they have {shapes}")
    if not all(np.issubdtype(array.dtype, np.integer) for array in arrays.values()):
        raise DataError(f"{path}: the three arrays must hold whole numbers")
    mask = arrays["input_mask"].astype(bool)
    empty = np.flatnonzero(~mask.any(axis=1))
    if len(mask) == 0 or len(empty):
        what = f"row {int(empty[0])} of input_mask is all 0" if len(empty) else "there are no rows"
        raise DataError(f"{path}: {what}; a sequence holds at least one token")
    return Batch.from_padded(arrays["input_ids"], arrays["input_mask"], arrays["segment_ids"]), mask


def parts(batch: Batch, *, max_tokens: int) -> Iterator[Batch]:
    """Cut a batch into consecutive smaller ones of at most `max_tokens` tokens; a longer sequence gets its own batch.

    Positions are kept as they are, so holes and padding on the left keep their meaning.

    >>> ids = np.array([[2, 3], [2, 3], [2, 3]])
    >>> [len(part) for part in parts(Batch.from_padded(ids, ids > 0, ids * 0), max_tokens=4)]
    [2, 1]
    """
    ends = np.cumsum(batch.lengths)
    first = 0
    while first < len(batch):
        start = int(batch.starts[first])
        after = max(int(np.searchsorted(ends, start + max_tokens, side="right")), first + 1)
        tokens = slice(start, int(ends[after - 1]))
        yield Batch(
            input_ids=batch.input_ids[tokens],
            token_type_ids=batch.token_type_ids[tokens],
            positions=batch.positions[tokens],
            lengths=batch.lengths[first:after],
        )
        first = after


def spread(rows: npt.NDArray[np.float32], mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """Return packed rows `[tokens, width]` as `[n, length, width]`, 0 where padded."""
    padded = np.zeros((*mask.shape, rows.shape[1]), np.float32)
    padded[mask] = rows
    return padded


def write_arrays(path: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write named arrays as a .npz file.

    Raises:
        WriteError: the system refused.
    """
    with atomic_file(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
