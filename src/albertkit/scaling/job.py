"""Definition of a job, shared by the driver, its workers and the manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from albertkit.data.columns import Columns
from albertkit.datasets import text_files
from albertkit.errors import DataError
from albertkit.io.file_digests import model_digest
from albertkit.models.model_files import model_path

ENDINGS = {"embed": ".parquet", "predict": ".jsonl"}
"""Verb -> ending of its parts."""


@dataclass(frozen=True)
class Job:
    """One command on one file."""

    verb: str
    """`embed` or `predict`."""
    model: str
    """Known name, or the whole path of a run or a model folder."""
    input: Path
    """A whole path, the same on every node."""
    output: Path
    """The folder for the parts; a whole path, the same on every node."""
    columns: Columns | None
    """Of a table."""
    pooling: str | None = None
    dimensions: int | None = None
    """Size that vectors are cut to; None leaves them whole."""
    max_length: int | None = None
    """Longest input in tokens, of `embed`."""
    device: str = "auto"
    precision: str = "auto"
    threads: int = 1
    """Of a worker."""

    @property
    def ending(self) -> str:
        """Of the parts' names."""
        return ENDINGS[self.verb]

    def input_state(self) -> dict[str, Any]:
        """Return the input's path, size and modification time, to detect changes.

        Raises:
            DataError: the input cannot be read.
        """
        try:
            found = self.input.stat()
        except OSError as error:
            raise DataError(f"{self.input}: cannot be read ({error.strerror or error})") from error
        return {"path": str(self.input), "bytes": found.st_size, "mtime_ns": found.st_mtime_ns}

    def settings(self) -> Mapping[str, Any]:
        """Return all settings that the output rows depend on: a job resumes only if they are the same."""
        columns = None if self.columns is None else {**asdict(self.columns), "kept": list(self.columns.kept)}
        model = model_path(self.model)
        return {
            "command": self.verb,
            "input": self.input_state(),
            "columns": columns,
            "model": self.model,
            "model_sha256": None if model is None else model_digest(model),  # a known name says it all
            "pooling": self.pooling,
            "dimensions": self.dimensions,
            "max_length": self.max_length,
            "precision": self.precision,
            "rows_a_part": text_files.ROWS,
        }
