"""Files of raw text: finding them, and reading what is in them, decompressed, with the digest of what was read."""

from __future__ import annotations

import gzip
import hashlib
import lzma
import os
import sys
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any, NamedTuple

from albertkit.errors import DataError, UsageError
from albertkit.io.decoding import file_blocks, utf8_blocks

STANDARD_INPUT = "-"
"""The name of standard input."""

_SUFFIXES = (".txt", ".txt.gz", ".txt.xz")
_BLOCK = 1 << 20  # bytes


class Input(NamedTuple):
    """One source of text."""

    name: str
    """What reports and the manifest call it: the file's name without its folder, or "-"."""
    path: Path | None
    """Where it is; None for standard input."""

    @property
    def size(self) -> int:
        """Bytes of the file as stored on disk; 0 for standard input."""
        return 0 if self.path is None else self.path.stat().st_size


class InputRecord(NamedTuple):
    """An input that was read to its end."""

    name: str
    bytes: int
    """Size of the file as stored on disk, in bytes."""
    sha256: str
    """SHA-256 of the file as stored on disk."""


def find_inputs(names: Iterable[str | os.PathLike[str]], rules: TextRules | None = None) -> list[Input]:
    """Return the files behind names, each of which could be opened and read from.

    Args:
        names: text files, plain, .gz or .xz; folders, meaning all their .txt, .txt.gz and .txt.xz files in sorted
            order; "-" for standard input.
        rules: how bytes are decoded; a file whose beginning breaks the rules is refused here.

    Raises:
        UsageError: there are no names, standard input is named twice, or there is no such encoding.
        DataError: a file is missing or unreadable, a folder has no text; the sentence says how many more are.
    """
    found: list[Input] = []
    problems: list[str] = []
    for given in names:
        name, path = os.fspath(given), Path(given)
        if name == STANDARD_INPUT:
            found.append(Input(STANDARD_INPUT, None))
        elif path.is_dir():
            files = sorted(file for file in path.iterdir() if file.name.endswith(_SUFFIXES) and file.is_file())
            found += [Input(file.name, file) for file in files]
            if not files:
                problems.append(f"{name}: this folder holds no {', '.join(_SUFFIXES)} file; name the files themselves")
        elif path.exists():
            found.append(Input(path.name, path))
        else:
            problems.append(f"{name}: there is no such file; check the path")
    for source in found:
        problems += _unreadable(source, rules)
    if problems:
        more = f" (and {len(problems) - 1} more such problems)" if len(problems) > 1 else ""
        raise DataError(problems[0] + more)
    if not found:
        raise UsageError('no text to prepare; give files, folders, or "-" for standard input')
    if sum(source.path is None for source in found) > 1:
        raise UsageError('"-" is named twice; standard input can be read once')
    return found


class TextRules(NamedTuple):
    """How the bytes of the inputs become text."""

    encoding: str | None = None
    """Of all inputs; what the byte order mark of each says, else UTF-8, if None."""
    keep_bad: bool = False
    """Whether bytes that are not UTF-8 are passed on, to be replaced and counted, instead of an error."""


class InputReader:
    """Reads the text of an input from its start, as UTF-8 whose lines end at LF.

    Raises:
        DataError: it cannot be opened.
    """

    def __init__(self, source: Input, rules: TextRules | None = None) -> None:
        self.source = source
        try:
            raw = sys.stdin.buffer if source.path is None else open(source.path, "rb")  # noqa: SIM115 - closed below
        except OSError as error:
            raise _damaged(source, error) from error
        self._raw = _Digested(raw)
        self._text: Any = self._raw
        if source.name.endswith(".gz"):
            self._text = gzip.GzipFile(fileobj=self._raw, mode="rb")  # type: ignore[call-overload]
        elif source.name.endswith(".xz"):
            self._text = lzma.LZMAFile(self._raw)  # type: ignore[arg-type]  # noqa: SIM115 - closed below
        encoding, keep_bad = rules or TextRules()
        where = str(source.path or "standard input")
        self._blocks = utf8_blocks(file_blocks(self._text), where=where, encoding=encoding, keep_bad=keep_bad)
        self._left = b""

    @property
    def raw_bytes(self) -> int:
        """Bytes of the file that were read so far."""
        return self._raw.count

    def read(self, count: int) -> bytes:
        """Return the next `count` bytes of text; fewer only at the end.

        Raises:
            UsageError: there is no such encoding.
            DataError: the file cannot be read or decompressed, or a byte is not of its encoding.
        """
        parts: list[bytes] = []
        missing = count
        try:
            while missing and (block := self._left or next(self._blocks, b"")):
                parts.append(block[:missing])
                self._left = block[missing:]
                missing -= len(parts[-1])
        except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
            raise _damaged(self.source, error) from error
        return b"".join(parts)

    def record(self) -> InputRecord:
        """Read whatever is left and return what the whole was.

        Raises:
            DataError: the file cannot be read.
        """
        try:
            while self._raw.read(_BLOCK):
                pass
        except OSError as error:
            raise _damaged(self.source, error) from error
        return InputRecord(self.source.name, self._raw.count, self._raw.digest.hexdigest())

    def close(self) -> None:
        """Close the file; standard input stays open."""
        if self._text is not self._raw:
            self._text.close()
        if self.source.path is not None:
            self._raw.file.close()

    def __enter__(self) -> InputReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Digested:
    """A file that remembers how much was read from it, and its sha256."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.digest = hashlib.sha256()
        self.count = 0

    def read(self, count: int = -1) -> bytes:
        block = self.file.read(count)
        self.digest.update(block)
        self.count += len(block)
        return block


def _unreadable(source: Input, rules: TextRules | None) -> list[str]:
    if source.path is None:
        return []
    try:
        with InputReader(source, rules) as reader:
            reader.read(1)
    except DataError as error:
        return [str(error)]
    return []


def _damaged(source: Input, error: Exception) -> DataError:
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    return DataError(f"{source.path or 'standard input'}: cannot be read ({reason}); repair or leave out the file")
