"""Open Parquet files: pyarrow as an optional library, and one sentence for whatever it raises of a bad file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
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
