"""Split raw bytes into documents: a blank line ends a document, every other line is a paragraph.

The main process only cuts the text into chunks (`read_chunks`), at blank lines if there are any. The workers decode
and split the lines (`split_documents`). The cuts depend only on the bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from albertkit.data.corpus.inputs import Input, InputReader, InputRecord, TextRules
from albertkit.errors import RunError

CHUNK_BYTES = 1 << 20
"""Bytes of text that a worker gets at a time; a longer line is split."""

_BOM = b"\xef\xbb\xbf"
_DOCUMENT_END = b"\n\n"
# NUL and its kind carry no text; \t, \v, \f, \r and 0x1c-0x1f are whitespace to Python and need no counting.
_CONTROLS = bytes([*range(0x09), *range(0x0E, 0x1C), 0x7F])
_TO_SPACES = bytes(0x20 if number in _CONTROLS or number == 0x0D else number for number in range(256))


class Position(NamedTuple):
    """How far the inputs were read."""

    file: int = 0
    """Number of the input, from 0."""
    offset: int = 0
    """Bytes of its text, decompressed, that were read."""
    sha256: str = hashlib.sha256().hexdigest()
    """Of these bytes."""


@dataclass(frozen=True)
class Chunk:
    """Some text: lines of one input, or some whole inputs with a blank line between them."""

    text: bytes
    mid_line: bool
    """Whether it begins inside a line that was too long, so that its first line ends nothing."""
    end: Position
    """Where the next chunk begins."""
    text_bytes: int
    """Bytes of text, decompressed."""
    raw_bytes: int
    """Bytes read of the files, as stored on disk."""
    split_lines: int = 0
    """Lines that were too long, counted at their first cut."""
    empty_files: int = 0
    """Files without any text."""
    finished: tuple[InputRecord, ...] = field(default=())
    """Inputs that end in this chunk."""


def read_chunks(
    inputs: Sequence[Input],
    *,
    chunk_bytes: int = CHUNK_BYTES,
    start: Position | None = None,
    rules: TextRules | None = None,
) -> Iterator[Chunk]:
    """Read the inputs one after the other in chunks of at most about `chunk_bytes`.

    Args:
        inputs: where the text is; the end of each ends a document.
        chunk_bytes: bytes of text of a chunk, and of the longest line, 16 or more.
        start: the end of an earlier chunk, from which to go on; the same chunks follow as did then.
        rules: how their bytes become text.

    Raises:
        DataError: a file cannot be read or decompressed, or is not of its encoding.
        RunError: the text before `start` is not what it was.
    """
    start = start or Position()
    small = _SmallFiles()
    for number in range(start.file, len(inputs)):
        with InputReader(inputs[number], rules) as reader:
            digest = hashlib.sha256()
            offset = _skip(reader, start, digest) if number == start.file else 0
            rest, mid_line, raw_bytes = b"", False, 0
            while True:
                wanted = chunk_bytes - small.size
                rest += reader.read(wanted - len(rest))
                if len(rest) < wanted:
                    break  # the file's end
                if small.size:  # no room here for this file: it begins a chunk of its own
                    yield small.take(Position(number))
                    continue
                cut, splits_line = _cut(rest)
                digest.update(rest[:cut])
                yield Chunk(
                    text=rest[:cut].removeprefix(_BOM) if offset == 0 else rest[:cut],
                    mid_line=mid_line,
                    end=Position(number, offset + cut, digest.hexdigest()),
                    text_bytes=cut,
                    raw_bytes=reader.raw_bytes - raw_bytes,
                    split_lines=int(splits_line and not mid_line),
                )
                offset, rest, mid_line, raw_bytes = offset + cut, rest[cut:], splits_line, reader.raw_bytes
            record = reader.record()
            small.add(rest, record=record, raw_bytes=record.bytes - raw_bytes, whole=offset == 0, mid_line=mid_line)
        if small.size * 2 >= chunk_bytes:
            yield small.take(Position(number + 1))
    if small.records:
        yield small.take(Position(len(inputs)))


class TextCounts(NamedTuple):
    """What was odd about the bytes of a text."""

    bad_bytes: int
    """Lines with bytes that are not UTF-8, each of which became U+FFFD."""
    control_characters: int
    """Control characters (NUL and its kind) that became spaces."""


def split_documents(text: bytes, *, mid_line: bool = False) -> tuple[list[list[str]], TextCounts]:
    r"""Return the paragraphs of each document of a chunk; only the last document may continue in the next chunk.

    The first group continues the last one of the previous chunk; it is empty if the chunk begins with a blank line.
    The last group is empty if the chunk ends with a blank line. Lines end only at `\n`.

    >>> split_documents(b"a b\nc\n\n \nd\x00e\r\n")
    ([['a b', 'c'], ['d e ']], TextCounts(bad_bytes=0, control_characters=1))

    Args:
        text: bytes of whole lines, or of a part of one.
        mid_line: the text begins inside a line.
    """
    clean = text.translate(_TO_SPACES)
    controls = len(text) - len(text.translate(None, _CONTROLS))
    bad_bytes = 0
    try:
        lines = clean.decode("utf-8").removesuffix("\n").split("\n")
    except UnicodeDecodeError:
        lines = []
        for raw in clean.removesuffix(b"\n").split(b"\n"):
            try:
                lines.append(raw.decode("utf-8"))
            except UnicodeDecodeError:
                lines.append(raw.decode("utf-8", errors="replace"))
                bad_bytes += 1
    groups: list[list[str]] = [[]]
    for number, line in enumerate(lines):
        if line and not line.isspace():
            groups[-1].append(line)
        elif (groups[-1] or len(groups) == 1) and not (mid_line and number == 0):
            groups.append([])
    return groups, TextCounts(bad_bytes, controls)


class _SmallFiles:
    """Whole files, or the last part of one, that go into one chunk."""

    def __init__(self) -> None:
        self.mid_line = False
        self._clear()

    def add(self, text: bytes, *, record: InputRecord, raw_bytes: int, whole: bool, mid_line: bool) -> None:
        """Take in what is left of a file; `whole` if that is all of it."""
        self.text_bytes += len(text)
        self.raw_bytes += raw_bytes
        if whole:
            text = text.removeprefix(_BOM)
            self.empty_files += not text.strip()
        self.mid_line |= mid_line
        self.parts += [text, _DOCUMENT_END]
        self.size += len(text) + len(_DOCUMENT_END)
        self.records.append(record)

    def take(self, end: Position) -> Chunk:
        """Return the chunk and begin a new one."""
        chunk = Chunk(
            text=b"".join(self.parts),
            mid_line=self.mid_line,
            end=end,
            text_bytes=self.text_bytes,
            raw_bytes=self.raw_bytes,
            empty_files=self.empty_files,
            finished=tuple(self.records),
        )
        self._clear()
        return chunk

    def _clear(self) -> None:
        self.parts: list[bytes] = []
        self.records: list[InputRecord] = []
        self.size = self.text_bytes = self.raw_bytes = self.empty_files = 0
        self.mid_line = False


def _skip(reader: InputReader, start: Position, digest: hashlib._Hash) -> int:
    left = start.offset
    while left and (block := reader.read(min(left, CHUNK_BYTES))):
        digest.update(block)
        left -= len(block)
    if digest.hexdigest() != start.sha256:
        raise RunError(
            f"{reader.source.name}: the first {start.offset} bytes of its text are not what they were when the shards "
            "were begun; remove the folder or give another --out"
        )
    return start.offset


def _cut(text: bytes) -> tuple[int, bool]:
    """Return where to cut a text that continues, and whether that splits a line: after a blank line, a line, a word."""
    last = end = text.rfind(b"\n")
    while end >= 0:
        before = text.rfind(b"\n", 0, end)
        if before >= 0 and not text[before + 1 : end].strip():
            return end + 1, False
        end = before
    if last >= 0:
        return last + 1, False
    space = max(text.rfind(b" "), text.rfind(b"\t"))
    if space > 0:
        return space + 1, True
    # Before the last character, which may not be complete; bytes that are no UTF-8 are cut anywhere.
    tail = (len(text) - back for back in range(1, 5))
    return next((index for index in tail if text[index] & 0xC0 != 0x80), len(text)), True
