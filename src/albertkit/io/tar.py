"""Walk a tar stream member by member in bounded memory.

Python's tarfile is not used here: it reads the headers for long names and pax records at whatever size they claim, and
follows maps of sparse files, so a small packed file can fill the memory. Layout: POSIX.1-2017, pax, "pax Interchange
Format", and GNU tar's manual, "Basic Tar Format".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

BLOCK = 512
MAX_NAME_BYTES = 2**16
"""Largest header that carries a long name or pax records, in bytes."""

_FILES = (b"0", b"\0", b"7")
_LINKS = (b"1", b"2")
_WITHOUT_CONTENT = (b"1", b"2", b"3", b"4", b"5", b"6")


@dataclass(frozen=True)
class TarMember:
    """One entry of a tar file."""

    name: str
    """As the archive spells it; nothing is checked."""
    kind: str
    """`file`, `folder`, `link` or `other` (a device, a sparse file)."""
    size: int
    """Of the content, in bytes."""


class Readable(Protocol):
    """A stream that is read forwards."""

    def read(self, count: int, /) -> bytes:
        """Return so many bytes, or fewer at the end."""
        ...


class TarReader:
    """Gives the members in order; `read` gives the content of the one that came last.

    Args:
        stream: the unpacked bytes; read forwards only.

    Raises:
        EOFError: the stream ends within a member.
        ValueError: a header is damaged or too large.
    """

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._left = 0  # content of the current member that was not read
        self._padding = 0  # bytes after it, up to a whole block
        self._name = ""

    def __iter__(self) -> Iterator[TarMember]:
        first = True
        long_name: str | None = None
        records: dict[str, str] = {}
        while (header := self._header(first=first)) is not None:
            first = False
            kind, size = header[156:157], _number(header[124:136])
            if kind in (b"L", b"x"):
                self._start("a long name", size)
                if size > MAX_NAME_BYTES:
                    raise ValueError(f"a name takes {size} bytes, more than {MAX_NAME_BYTES}")
                content = self._rest()
                if kind == b"L":
                    long_name = _text(content)
                else:
                    records = _pax_records(content)
                continue
            if kind in (b"K", b"g"):  # the target of a link, defaults for all members: neither is needed
                self._start("a header", size)
                continue
            if "size" in records:
                size = _decimal(records["size"])
            name = records.get("path") or long_name or _plain_name(header)
            sparse = any(key.startswith("GNU.sparse.") for key in records)
            what = "file" if kind in _FILES and not sparse else "link" if kind in _LINKS else "other"
            if kind == b"5" or (what == "file" and name.endswith("/")):  # the second: archives from before POSIX
                what = "folder"
            long_name, records = None, {}
            self._start(name, 0 if kind in _WITHOUT_CONTENT else size)
            yield TarMember(name, what, self._left)

    def read(self, count: int) -> bytes:
        """Read up to `count` bytes of the current member; nothing is left where they are none.

        Raises:
            EOFError: the stream ends first.
        """
        wanted = min(count, self._left)
        content = self._stream.read(wanted) if wanted else b""
        if wanted and not content:
            raise EOFError(f"it ends within {self._name}")
        self._left -= len(content)
        return content

    def _start(self, name: str, size: int) -> None:
        self._name, self._left, self._padding = name, size, -size % BLOCK

    def _rest(self) -> bytes:
        parts = []
        while part := self.read(self._left):
            parts.append(part)
        return b"".join(parts)

    def _header(self, *, first: bool) -> bytes | None:
        """Return the next header, or None at the end of the archive."""
        while self.read(2**20):
            pass
        self._start(self._name, self._padding)
        self._padding = 0
        self._rest()
        header = b""
        while len(header) < BLOCK and (part := self._stream.read(BLOCK - len(header))):
            header += part
        if not header and not first:  # some programs leave the two empty blocks out
            return None
        if len(header) < BLOCK:
            raise EOFError("it ends within a header" if header else "it is empty")
        if not any(header):
            return None
        without = header[:148] + b" " * 8 + header[156:]
        signed = sum(byte - 256 * (byte > 127) for byte in without)  # as some old programs summed
        if _number(header[148:156]) not in (sum(without), signed):
            raise ValueError("the check sum of a header is wrong")
        return header


def _number(field: bytes) -> int:
    if field[0] & 0x80:  # GNU's base 256 for what octal digits cannot hold
        number = int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
    else:
        digits = field.split(b"\0")[0].strip()
        if digits.strip(b"01234567"):
            raise ValueError("a number in a header is not one")
        number = int(digits or b"0", 8)
    if number >= 2**63:
        raise ValueError("a number in a header is too large")
    return number


def _decimal(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise ValueError("a size in a pax record is not a number")
    return int(text)


def _text(raw: bytes) -> str:
    return raw.split(b"\0")[0].decode("utf-8", "surrogateescape")


def _plain_name(header: bytes) -> str:
    name = _text(header[:100])
    prefix = _text(header[345:500]) if header[257:263] == b"ustar\0" else ""
    return f"{prefix}/{name}" if prefix else name


def _pax_records(content: bytes) -> dict[str, str]:
    """Parse lines `LENGTH KEY=VALUE`, each with the length of the whole line in bytes."""
    records = {}
    while content.strip(b"\0"):
        digits, space, _ = content[:20].partition(b" ")
        length = _decimal(digits.decode("ascii", "replace"))
        key, equals, value = content[len(digits) + 1 : length - 1].partition(b"=")
        if not space or not equals or not len(digits) + 3 <= length <= len(content):
            raise ValueError("a pax record is damaged")
        records[key.decode("utf-8", "replace")] = value.decode("utf-8", "surrogateescape")
        content = content[length:]
    return records
