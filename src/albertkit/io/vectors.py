"""Write and read files of vectors in chunks: .npy holds the array, .parquet holds the texts and their vectors.

A Parquet file has the columns `text` and `vector` (written as a fixed-size list of float32, read as a list of any
floating-point type), then the columns of the source table. Its schema metadata records under "albertkit" what made the
vectors, so that a question is embedded in the same way.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from albertkit.errors import DataError, UsageError
from albertkit.io.files import atomic_file
from albertkit.io.parquet import ParquetWriter, import_parquet, open_parquet, parquet_errors

FloatArray = npt.NDArray[np.float32]
COLUMNS = ("text", "vector")
"""What a Parquet file begins with."""
PARTS_MANIFEST = "_manifest.json"
"""In a folder of parts: which files it holds, in order; written when all are there."""
_KEY = b"albertkit"
_HEADER = 128  # bytes of an .npy header: a multiple of 64, with room for any number of rows
_ROWS = 4096

Write = Callable[[FloatArray, Sequence[str], Mapping[str, Any]], None]
"""(vectors `[texts, dimensions]`, their texts, name -> values of other columns) -> appended to the file.

A sequence of values becomes texts; any other type comes as a pyarrow array, of the same type in every call."""


@dataclass(frozen=True)
class MadeBy:
    """What a file's vectors were made with."""

    model: str
    """Known name, or the whole path of a run or a model folder."""
    pooling: str
    """`mean`, `cls` or `pooler`."""
    max_length: int
    """Longest input in tokens."""


@contextmanager
def open_vectors(path: Path, *, dimensions: int, made_by: MadeBy | None = None) -> Iterator[Write]:
    """Yield a function that appends to a new file of the kind that the ending of `path` says; atomic at the end.

    Args:
        path: ends in .npy or .parquet; an existing file stays until the block ends without an error.
        dimensions: dimensions of a vector.
        made_by: the record of what made the vectors, for the Parquet file's metadata.

    Raises:
        UsageError: another ending.
        MissingExtraError: Parquet without pyarrow.
        WriteError: the system refused.
    """
    if path.suffix not in (".npy", ".parquet"):
        raise UsageError(f'"{path}" must end in .npy or .parquet')
    if path.suffix == ".npy":
        with atomic_file(path) as temporary, open(temporary, "wb") as file:
            rows = 0

            def append(vectors: FloatArray, texts: Sequence[str], others: Mapping[str, Any]) -> None:
                nonlocal rows
                del texts, others
                file.write(np.ascontiguousarray(vectors, "<f4").tobytes())
                rows += len(vectors)

            file.write(_npy_header(0, dimensions))
            yield append
            file.seek(0)
            file.write(_npy_header(rows, dimensions))
        return
    import_parquet(f"writing {path}")
    said = {} if made_by is None else {_KEY: json.dumps({"format": 1, **asdict(made_by)}).encode()}
    with atomic_file(path) as temporary:
        writer = ParquetWriter(temporary, metadata=said)

        def add(vectors: FloatArray, texts: Sequence[str], others: Mapping[str, Any]) -> None:
            import pyarrow

            flat = pyarrow.array(np.ascontiguousarray(vectors).reshape(-1), pyarrow.float32())
            column = pyarrow.FixedSizeListArray.from_arrays(flat, dimensions)
            writer({"text": texts, "vector": column, **others})

        with writer.closing():
            yield add
            if writer.schema is None:  # a file without texts has its columns all the same
                add(np.zeros((0, dimensions), np.float32), [], {})


def _npy_header(rows: int, dimensions: int) -> bytes:
    """Return a header of NumPy's format 1.0 with a fixed length, because the row count is known only at the end."""
    described = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {dimensions}), }}"
    text = described.ljust(_HEADER - 11) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode("latin1")


class VectorFile:
    """A Parquet file of texts with their vectors, or a folder of its parts, read piece by piece.

    Args:
        path: the file, or the folder that `albertkit embed --ray` has filled.

    Raises:
        UsageError: an .npy file, which holds no texts.
        DataError: the file is not there, is no Parquet, or has no such columns.
        MissingExtraError: pyarrow is not installed.
    """

    def __init__(self, path: Path) -> None:
        if path.suffix == ".npy":
            raise UsageError(f"{path}: an .npy file holds no texts to find; embed again with --output FILE.parquet")
        files = _parts(path) if path.is_dir() else [path]
        if not files[0].is_file():
            raise DataError(f"{files[0]}: there is no such file; albertkit embed --output FILE.parquet makes one")
        self.path, self.files = path, files
        schema = open_parquet(files[0]).schema_arrow
        import pyarrow

        for name in COLUMNS:
            if name not in schema.names:
                raise DataError(f'{path}: no column "{name}"; give a file that albertkit embed made')
        kind, types = schema.field("vector").type, pyarrow.types
        self._fixed = types.is_fixed_size_list(kind)
        if not (self._fixed or types.is_list(kind) or types.is_large_list(kind)) or not types.is_floating(
            kind.value_type
        ):
            raise DataError(f'{path}: the column "vector" holds {kind}, not lists of floating-point numbers')
        self.dimensions = int(kind.list_size) if self._fixed else self._first_width()
        self._said = (schema.metadata or {}).get(_KEY)

    def __len__(self) -> int:
        """Number of texts."""
        return sum(int(open_parquet(file).metadata.num_rows) for file in self.files)

    def _first_width(self) -> int:
        """Numbers in the first vector, of a column whose type does not say it."""
        with parquet_errors(self.files[0]):
            for batch in open_parquet(self.files[0]).iter_batches(batch_size=1, columns=["vector"]):
                return len(batch.column(0)[0].as_py() or ())
        return 0

    @property
    def made_by(self) -> MadeBy | None:
        """What the file says of itself; None where it says nothing that can be understood."""
        try:
            found = json.loads(self._said or b"null")
            return MadeBy(str(found["model"]), str(found["pooling"]), int(found["max_length"]))
        except (ValueError, TypeError, KeyError):
            return None

    def columns(self, rows: Sequence[int], names: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """Return columns of some rows.

        Args:
            rows: their numbers, from 0 in the order of the file.
            names: of the columns; all besides text and vector if None.

        Raises:
            DataError: the file is damaged.
        """
        found: dict[int, dict[str, Any]] = {row: {} for row in rows}
        start = 0
        for path in self.files:
            with parquet_errors(path):
                file = open_parquet(path)
                chosen = [name for name in names or file.schema_arrow.names if names or name not in COLUMNS]
                for group in range(file.metadata.num_row_groups if chosen else 0):
                    end = start + file.metadata.row_group(group).num_rows
                    inside = sorted(row for row in found if start <= row < end)
                    if inside:
                        table = file.read_row_group(group, columns=chosen).take([row - start for row in inside])
                        found.update(zip(inside, table.to_pylist(), strict=True))
                    start = end
        return [found[row] for row in rows]

    def pieces(self, rows: int = _ROWS) -> Iterator[tuple[list[str], FloatArray]]:
        """Yield texts and vectors `[rows, dimensions]` in the order of the file.

        Raises:
            DataError: the file is damaged, or a text or vector is missing, not finite, or of another width; the
                sentence names the row.
        """
        for file in self.files:
            yield from self._pieces(file, rows)

    def _pieces(self, path: Path, rows: int) -> Iterator[tuple[list[str], FloatArray]]:
        start = 1
        with parquet_errors(path):
            for batch in open_parquet(path).iter_batches(batch_size=rows, columns=list(COLUMNS)):
                texts, column = batch.column(0), batch.column(1)
                if texts.null_count or column.null_count:
                    raise DataError(f"{path}, rows {start} to {start + len(texts) - 1}: a text or vector is missing")
                if not self._fixed:
                    self._check_widths(path, column, start=start)
                flat = column.flatten().to_numpy(zero_copy_only=False).astype(np.float32, copy=False)
                vectors: FloatArray = flat.reshape(len(texts), self.dimensions)
                broken = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
                if len(broken):
                    raise DataError(f"{path}, row {start + int(broken[0])}: the vector is not of finite numbers")
                yield texts.to_pylist(), vectors
                start += len(texts)

    def _check_widths(self, path: Path, column: Any, *, start: int) -> None:
        import pyarrow.compute

        widths = pyarrow.compute.list_value_length(column).to_numpy(zero_copy_only=False)
        other = np.flatnonzero(widths != self.dimensions)
        if len(other):
            raise DataError(
                f"{path}, row {start + int(other[0])}: the vector has {int(widths[other[0]])} numbers and the first "
                f"one {self.dimensions}; all need the same width"
            )


def unit(vectors: FloatArray) -> FloatArray:
    """Return vectors of length 1, `[.., dimensions]`; zeros stay zeros.

    >>> unit(np.array([[3.0, 4.0], [0.0, 0.0]], np.float32)).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    found: FloatArray = vectors / np.where(lengths == 0, np.float32(1), lengths)
    return found


def cut(vectors: FloatArray, dimensions: int) -> FloatArray:
    """Return the first numbers of vectors with length 1, `[.., dimensions]`: what a Matryoshka model was trained for.

    >>> cut(np.array([[3.0, 4.0, 9.0]], np.float32), 2).tolist()
    [[0.6000000238418579, 0.800000011920929]]
    """
    return unit(vectors[..., :dimensions])


def _parts(folder: Path) -> list[Path]:
    """Return the files of a folder of parts, in order."""
    try:
        said = json.loads((folder / PARTS_MANIFEST).read_text(encoding="utf-8"))
        names = [str(entry["name"]) for entry in said["files"]]
        if not names or any(Path(name).name != name for name in names):
            raise ValueError("no parts, or parts of another folder")
    except FileNotFoundError as error:
        raise DataError(
            f"{folder}: no {PARTS_MANIFEST} in it: it is not a folder of vectors, or is incomplete"
        ) from error
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(f"{folder / PARTS_MANIFEST}: not what albertkit wrote ({error!s:.100})") from error
    return [folder / name for name in names]
