"""Text of a file, and its rows that cannot be used: told all at once, or counted and passed over."""

from __future__ import annotations

import re

from albertkit.errors import DataError

_SURROGATE = re.compile("[\ud800-\udfff]")
_SHOWN = 8


class BadRows:
    """The rows of one file that cannot be used.

    Args:
        where: the file, as a message names it.
        skip: whether to count the rows and go on, instead of an error.
    """

    def __init__(self, where: str, *, skip: bool) -> None:
        self.where = where
        self.skip = skip
        self._problems: list[tuple[str, str]] = []

    def add(self, place: str, problem: str) -> None:
        """Note a row that cannot be used.

        Args:
            place: the row within the file, e.g. "line 3".
            problem: what is wrong with it, e.g. "2 columns instead of 3".
        """
        self._problems.append((place, problem))

    def close(self) -> tuple[str, ...]:
        """Return one sentence for each row noted.

        Raises:
            DataError: rows were noted and are not to be skipped; the sentence names them.
        """
        if self._problems and not self.skip:
            (place, problem), *more = self._problems
            others = ", ".join(other for other, _ in more[:_SHOWN]) + (", ..." if len(more) > _SHOWN else "")
            tail = f" (and {len(more)} more: {others})" if more else ""
            raise DataError(f"{self.where}, {place}: {problem}{tail}; repair the file or pass --skip-bad-rows")
        return tuple(f"{self.where}, {place}: {problem}" for place, problem in self._problems)


def decode_text(content: bytes, *, where: str) -> str:
    """Decode the bytes of a file as UTF-8, with or without a byte order mark.

    >>> decode_text(b"a b", where="a.txt")
    'a b'

    Args:
        content: the whole file.
        where: the file, as a message names it.

    Raises:
        DataError: bytes that are not UTF-8; the sentence names their line.
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # error.start counts from behind the byte order mark, which holds no line feed.
        line = error.object[: error.start].count(b"\n") + 1
        raise DataError(
            f"{where}, line {line}: byte 0x{error.object[error.start]:02x} is not UTF-8; save the file as UTF-8"
        ) from error


def split_lines(text: str) -> list[tuple[int, str]]:
    r"""Return (line number from 1, line) of every line that is not blank, parted at line feeds alone.

    `str.splitlines` would also part at U+0085, U+2028 and the like, which stand inside texts.

    >>> split_lines("a\r\n\nb\u2028c\n")
    [(1, 'a'), (3, 'b\u2028c')]
    """
    lines = ((number, line.removesuffix("\r")) for number, line in enumerate(text.split("\n"), start=1))
    return [(number, line) for number, line in lines if line]


def checked_text(value: object, *, column: str) -> str:
    """Return a text of a row.

    >>> checked_text("fine", column="text")
    'fine'

    Raises:
        ValueError: not a string, or with half a surrogate pair; the sentence is for `BadRows.add`.
    """
    if not isinstance(value, str):
        found = "missing" if value is None else f"{value!r:.40}, a {type(value).__name__}, not a text"
        raise ValueError(f'"{column}" is {found}')
    lone = _SURROGATE.search(value)
    if lone:
        raise ValueError(f'"{column}" holds U+{ord(lone.group()):04X}, half a surrogate pair, which is no character')
    return value
