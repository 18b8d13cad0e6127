"""Read and write Parquet: pyarrow as an optional library, and one sentence for whatever it raises of a bad file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from albertkit.errors import DataError, MissingExtraError


def import_parquet(purpose: str) -> Any:
    """Return the module `pyarrow.parquet`.

    Args:
        purpose: what it is needed for, e.g. "reading a.parquet".

    Raises:
        MissingExtraError: pyarrow is not installed.
    """
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError("pyarrow", extra="tables", purpose=purpose) from error
    return pyarrow.parquet


@contextmanager
def parquet_errors(path: Path) -> Iterator[None]:
    """Replace what pyarrow raises while a file is read by one sentence.

    Raises:
        DataError: the file is damaged, is no Parquet, or holds values that Python cannot (bytes for texts, dates).
    """
    import pyarrow

    try:
        yield
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: cannot be read as Parquet: a text is not UTF-8; write the file again") from error
    except pyarrow.ArrowNotImplementedError as error:
        raise DataError(
            f"{path}: cannot be read as Parquet: pyarrow {pyarrow.__version__} does not know its compression or a type "
            "of its columns; write it with other ones"
        ) from error
    except (OSError, ValueError, OverflowError, pyarrow.ArrowException) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
        raise DataError(
            f"{path}: cannot be read as Parquet: it is damaged or of another format; write the file again"
        ) from error


def open_parquet(path: Path) -> Any:
    """Return a `pyarrow.parquet.ParquetFile`.

    Raises:
        DataError: the file cannot be read, is damaged or is no Parquet.
        MissingExtraError: pyarrow is not installed.
    """
    parquet = import_parquet(f"reading {path.name}")
    with parquet_errors(path):
        return parquet.ParquetFile(path)


def json_text(value: Any) -> str | None:
    """Return a text as it is, and anything else but None as JSON: one column, one type.

    >>> json_text("a"), json_text(["a", 1]), json_text(None)
    ('a', '["a", 1]', None)
    """
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


class ParquetWriter:
    """Writes a row group per call; the first call fixes the names and types of the columns.

    Args:
        path: the file.
        metadata: of its schema.
    """

    def __init__(self, path: Path, *, metadata: Mapping[bytes, bytes] | None = None) -> None:
        self.path, self.metadata = path, dict(metadata or {})
        self.writer: Any = None
        self.schema: Any = None

    def __call__(self, columns: Mapping[str, Any]) -> None:
        """Append rows.

        Args:
            columns: name -> values: a pyarrow or NumPy array, or a sequence, which becomes texts (see `json_text`).
        """
        import pyarrow
        import pyarrow.parquet

        arrays = {
            name: pyarrow.array(map(json_text, values), pyarrow.string()) if isinstance(values, Sequence) else values
            for name, values in columns.items()
        }
        table = pyarrow.table(arrays)
        if self.writer is None:
            self.schema = table.schema.with_metadata(self.metadata)
            self.writer = pyarrow.parquet.ParquetWriter(self.path, self.schema)
        self.writer.write_table(table.cast(self.schema))

    def close(self) -> None:
        """Close the file, once."""
        writer, self.writer = self.writer, None
        if writer is not None:
            writer.close()

    @contextmanager
    def closing(self) -> Iterator[None]:
        """Close the file when the block ends; an error in the block is the one to report."""
        try:
            yield
        except BaseException:
            with suppress(Exception):
                self.close()
            raise
        self.close()
