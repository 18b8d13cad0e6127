"""Files of vectors: .npy holds the array, .parquet the texts beside their vectors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from albertkit.errors import MissingExtraError
from albertkit.files import atomic_file


def write_vectors(path: Path, vectors: npt.NDArray[np.float32], *, texts: Sequence[str]) -> None:
    """Write vectors `[texts, dimensions]` as the ending of `path` says.

    Raises:
        MissingExtraError: Parquet without pyarrow.
        WriteError: the system refused.
    """
    if path.suffix == ".npy":
        with atomic_file(path) as temporary, open(temporary, "wb") as file:
            np.save(file, vectors)
        return
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError("pyarrow", extra="tables", purpose=f"writing {path}") from error
    flat = pyarrow.array(np.ascontiguousarray(vectors).reshape(-1), pyarrow.float32())
    width = vectors.shape[1]
    column = pyarrow.FixedSizeListArray.from_arrays(flat, width)
    table = pyarrow.table({"text": pyarrow.array(texts, pyarrow.string()), "vector": column})
    with atomic_file(path) as temporary:
        pyarrow.parquet.write_table(table, temporary)
