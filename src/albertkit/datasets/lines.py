"""Lines of a text file of any size, of all of it or of a slice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from albertkit.errors import DataError, nearest_file
from albertkit.io.decoding import BLOCK, TextForm, bare, file_blocks, text_form, text_lines


@dataclass(frozen=True)
class Slice:
    """Some rows of a file that follow each other, which can be read without those before them."""

    start: int
    """Byte, or row from 0 of Parquet."""
    end: int
    """Byte or row behind the last."""
    first: int = 1
    """Number of the first line, or row of Parquet, from 1."""


def require_file(path: Path) -> None:
    """Refuse a path that is no file.

    Raises:
        DataError: the path is a folder, or nothing is there.
    """
    if path.is_dir():
        raise DataError(
            f"{path} is a folder; give one file: texts one per line, or a table (.csv .tsv .jsonl .parquet .xlsx)"
        )
    if not path.is_file():
        raise DataError(f"{path}: there is no such file{nearest_file(path)}")


@contextmanager
def read_errors(path: Path) -> Iterator[None]:
    """Replace what the system raises while a file is read by one sentence.

    Raises:
        DataError: the file cannot be read.
    """
    try:
        yield
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error


def is_plain(path: Path, *, encoding: str | None = None) -> bool:
    """Return whether the lines are UTF-8 between line feeds, so that bytes can be counted and cut.

    Raises:
        UsageError, DataError: as `lines_of`.
    """
    form = _form(path, encoding)
    return form.encoding == "utf-8" and not form.ends_at_cr


def lines_of(path: Path, *, encoding: str | None = None, part: Slice | None = None) -> Iterator[tuple[int, str]]:
    r"""Yield the lines with their numbers, without what ends them.

    Lines end at `\n` or `\r\n`; at `\r` in a file that has no `\n`.

    Args:
        path: the file.
        encoding: encoding of the file; None uses the byte order mark, else UTF-8.
        part: some lines of a file that `is_plain`.

    Raises:
        UsageError: there is no such encoding.
        DataError: the file cannot be read or is not of its encoding; the sentence names the line.
    """
    first = 1 if part is None else part.first
    for number, line in enumerate(ended_lines(path, encoding=encoding, part=part), first):
        yield number, bare(line)


def ended_lines(path: Path, *, encoding: str | None = None, part: Slice | None = None) -> Iterator[str]:
    """Yield the lines with what ends them; see `lines_of`."""
    form = _form(path, encoding)
    with read_errors(path), path.open("rb") as file:
        blocks, first = file_blocks(file), 1
        if part is not None:
            file.seek(part.start)
            blocks, first = _part_blocks(file, part.end - part.start), part.first
            form = form if part.start == 0 else replace(form, mark=0)
        yield from text_lines(blocks, where=str(path), encoding=encoding, form=form, first_line=first)


def _form(path: Path, encoding: str | None) -> TextForm:
    with read_errors(path), path.open("rb") as file:
        return text_form(next(file_blocks(file), b""), encoding=encoding, where=str(path))


def _part_blocks(file: BinaryIO, size: int) -> Iterator[bytes]:
    while size > 0 and (block := file.read(min(BLOCK, size))):
        size -= len(block)
        yield block
