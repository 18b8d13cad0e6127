"""Decode text files: the encoding by its name or byte order mark, lines that end in LF, CRLF or CR."""

from __future__ import annotations

import codecs
import encodings.aliases
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from albertkit.errors import DataError, UsageError, did_you_mean

BLOCK = 1 << 20
"""Bytes that are read at a time; the first block tells how lines end."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark is the beginning of this one
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_NOT_OF_FILES = frozenset({"idna", "punycode", "raw-unicode-escape", "unicode-escape", "undefined", "mbcs", "oem"})


@dataclass(frozen=True)
class TextForm:
    """How the bytes of a text are read."""

    encoding: str
    """Name of a codec that knows no byte order mark."""
    mark: int = 0
    """Bytes of the byte order mark at the beginning."""
    ends_at_cr: bool = False
    """Whether lines end at a carriage return, since the first block has no line feed."""


def check_encoding(name: str) -> str:
    """Return Python's name for an encoding.

    >>> check_encoding("Latin-1"), check_encoding("windows-1252")
    ('iso8859-1', 'cp1252')

    Raises:
        UsageError: there is no such encoding, and the sentence names the nearest one; or it is not one of text.
    """
    try:
        codec = codecs.lookup(name)
    except (LookupError, ValueError):
        codec = None
    if codec is not None and not _is_of_files(codec):
        raise UsageError(f'"{name:.40}" is not a text encoding; give one such as utf-8, cp1252, latin-1, utf-16')
    if codec is None:
        known = encodings.aliases.aliases
        spelled = {each.replace("_", "-") for pair in known.items() if _is_known(pair[1]) for each in pair}
        nearest = did_you_mean(name.lower(), spelled)
        raise UsageError(f'unknown encoding "{name:.40}"{nearest} (such as utf-8, cp1252, latin-1, utf-16)')
    return codec.name


def _is_of_files(codec: codecs.CodecInfo) -> bool:
    return codec._is_text_encoding and codec.name not in _NOT_OF_FILES


def _is_known(name: str) -> bool:
    try:
        return _is_of_files(codecs.lookup(name))
    except LookupError:  # another system's
        return False


def text_form(head: bytes, *, encoding: str | None, where: str) -> TextForm:
    """Return how to decode a text, from its first bytes.

    >>> text_form(b"one" + bytes([13]) + b"two", encoding=None, where="a.txt")
    TextForm(encoding='utf-8', mark=0, ends_at_cr=True)

    Args:
        head: the first block, or the whole text.
        encoding: name of the encoding; None follows the byte order mark, and is UTF-8 without one.
        where: the file, as a message names it.

    Raises:
        UsageError: there is no such encoding.
        DataError: the byte order mark says another encoding, or the text looks like UTF-16 without a mark.
    """
    chosen = None if encoding is None else check_encoding(encoding)
    mark, marked = next(((mark, name) for mark, name in _MARKS if head.startswith(mark)), (b"", "utf-8"))
    if chosen is not None:
        family = {"utf-16": "utf-16-le", "utf-32": "utf-32-le", "utf-8-sig": "utf-8"}
        if mark and chosen not in (marked, marked.removesuffix("-le").removesuffix("-be"), f"{marked}-sig"):
            raise DataError(
                f"{where}: begins with the byte order mark of {marked}, but the encoding is {encoding}; "
                f"pass --encoding {marked}"
            )
        marked = marked if mark else family.get(chosen, chosen)
    elif not mark:
        _refuse_utf_16(head, where)
    start = codecs.getincrementaldecoder(marked)("replace").decode(head[len(mark) :])
    return TextForm(marked, len(mark), "\r" in start and "\n" not in start)


def _refuse_utf_16(head: bytes, where: str) -> None:
    # Every second byte of English UTF-16 is NUL: valid UTF-8 with a control character between all letters.
    start = head[:4096]
    zeros = start.count(0)
    if zeros > len(start) // 4 and len(start) >= 4:
        order = "le" if start[1::2].count(0) >= start[::2].count(0) else "be"
        raise DataError(
            f"{where}: {zeros} of the first {len(start)} bytes are NUL, which looks like UTF-16 without a byte order "
            f"mark; pass --encoding utf-16-{order}, or save the file as UTF-8"
        )


def text_blocks(
    blocks: Iterable[bytes],
    *,
    where: str,
    encoding: str | None = None,
    form: TextForm | None = None,
    first_line: int = 1,
    errors: str = "strict",
) -> Iterator[str]:
    """Decode a text block by block, without its byte order mark; where lines end at CR, they end at LF instead.

    Args:
        blocks: the bytes, in order.
        where: the file, as a message names it.
        encoding: see `text_form`.
        form: what `text_form` said of the first block; found out if None.
        first_line: number of the first line, for messages.
        errors: how the codec treats bytes that it cannot decode.

    Raises:
        UsageError, DataError: as `text_form`; or a byte that is not of the encoding, with its line.
    """
    decoder: codecs.IncrementalDecoder | io.IncrementalNewlineDecoder | None = None
    lines = first_line

    def decode(block: bytes, *, final: bool) -> str:
        nonlocal lines
        assert form is not None
        assert decoder is not None
        try:
            text = decoder.decode(block, final)
        except UnicodeDecodeError as error:
            before = error.object[: error.start].decode(form.encoding, "ignore")
            line = lines + before.count("\r" if form.ends_at_cr else "\n")
            raise _undecodable(error, form.encoding, where, line, encoding) from error
        lines += text.count("\n")
        return text

    for block in blocks:
        if decoder is None:
            form = form or text_form(block, encoding=encoding, where=where)
            decoder = codecs.getincrementaldecoder(form.encoding)(errors)
            if form.ends_at_cr:
                decoder = io.IncrementalNewlineDecoder(decoder, translate=True)
            block = block[form.mark :]
        yield decode(block, final=False)
    if decoder is not None:
        yield decode(b"", final=True)


def _undecodable(error: UnicodeDecodeError, codec: str, where: str, line: int, encoding: str | None) -> DataError:
    byte = f"byte 0x{error.object[error.start]:02x}" if error.start < len(error.object) else "the end"
    name = "UTF-8" if codec == "utf-8" else codec
    hints = {None: ", or pass --encoding, such as cp1252", "utf-8": ""}
    hint = hints.get(encoding, ", or pass another --encoding")
    return DataError(f"{where}, line {line}: {byte} is not {name}; save the file as UTF-8{hint}")


def file_blocks(file: BinaryIO) -> Iterator[bytes]:
    """Read a file in blocks."""
    while block := file.read(BLOCK):
        yield block


def text_lines(
    blocks: Iterable[bytes],
    *,
    where: str,
    encoding: str | None = None,
    form: TextForm | None = None,
    first_line: int = 1,
) -> Iterator[str]:
    r"""Yield the lines of a text with the `\n` that ends each; see `text_blocks`.

    >>> list(text_lines([b"one" + bytes([13, 10]) + b"two"], where="a.txt"))
    ['one\r\n', 'two']
    """
    rest: list[str] = []
    for text in text_blocks(blocks, where=where, encoding=encoding, form=form, first_line=first_line):
        first, *others = text.split("\n")
        rest.append(first)
        for line in others:
            rest.append("\n")
            yield "".join(rest)
            rest = [line]
    last = "".join(rest)
    if last:
        yield last


def bare(line: str) -> str:
    r"""Return a line without its end, `\n` or `\r\n`.

    >>> bare("one\r\n"), bare("one")
    ('one', 'one')
    """
    return line.removesuffix("\n").removesuffix("\r")


def utf8_blocks(
    blocks: Iterable[bytes], *, where: str, encoding: str | None = None, keep_bad: bool = False
) -> Iterator[bytes]:
    """Yield a text as UTF-8 whose lines end at LF, in blocks that are not empty; text that is so passes unchanged.

    Args:
        blocks: the bytes, in order.
        where: the file, as a message names it.
        encoding: see `text_form`.
        keep_bad: pass bytes that are not UTF-8 through, instead of an error.

    Raises:
        UsageError, DataError: as `text_blocks`.
    """
    blocks = iter(blocks)
    first = next(blocks, b"")
    form = text_form(first, encoding=encoding, where=where)
    errors = "surrogateescape" if keep_bad and form.encoding == "utf-8" else "strict"

    def all_blocks() -> Iterator[bytes]:
        if first:
            yield first
        yield from blocks

    if form.encoding == "utf-8" and not form.ends_at_cr:
        if keep_bad:
            yield from all_blocks()
            return
        seen: list[bytes] = []

        def noted() -> Iterator[bytes]:
            for block in all_blocks():
                seen.append(block)
                yield block

        for _ in text_blocks(noted(), where=where, encoding=encoding, form=form):
            yield from seen
            seen.clear()
        return
    for text in text_blocks(all_blocks(), where=where, encoding=encoding, form=form, errors=errors):
        if text:
            yield text.encode("utf-8", errors)
