"""The parts of a job: the pieces of the input, as one process takes them.

Texts of a piece share forward passes, and what shares a pass has an influence on the last digits of a vector: with the
same pieces, one process and many give the same file.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from albertkit.data.columns import Columns
from albertkit.datasets.lines import Slice
from albertkit.datasets.text_files import TextFile, require_sliceable


@dataclass(frozen=True)
class Part:
    """A slice of the input that becomes one file of the output."""

    number: int
    """From 0, in the order of the input."""
    slice: Slice
    rows: int

    def name(self, ending: str) -> str:
        """Return the file's name, which sorts as the number does.

        >>> Part(12, Slice(0, 9), 2).name(".parquet")
        'part-00000012.parquet'
        """
        return f"part-{self.number:08}{ending}"


def cut(path: Path, columns: Columns | None) -> list[Part]:
    """Cut a file into parts; an empty file of lines, or a table without rows, is one part without rows.

    Args:
        path: a .jsonl or .parquet file, or lines.
        columns: those of a table, as `open_texts` chose them.

    Raises:
        UsageError: CSV or TSV.
        DataError: the file is not there or cannot be read.
    """
    require_sliceable(path)
    found = list(TextFile(path, columns).slices()) or [(Slice(0, 0), 0)]
    return [Part(number, *each) for number, each in enumerate(found)]
