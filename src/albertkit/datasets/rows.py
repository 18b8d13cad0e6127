"""Text of a file, its rows that cannot be used, and the warnings about rows that were read differently."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from albertkit.data.texts import checked_text as checked_text
from albertkit.errors import DataError
from albertkit.io.decoding import BLOCK, bare, text_blocks, text_form

_SHOWN = 8


class BadRows:
    """The rows of one file that cannot be used.

    Args:
        where: the file, as a message names it.
        skip: whether to count the rows and continue, instead of an error.
        advice: how the error ends.
    """

    def __init__(
        self, where: str, *, skip: bool = False, advice: str = "repair the file or pass --skip-bad-rows"
    ) -> None:
        self.where = where
        self.skip = skip
        self.advice = advice
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
            raise DataError(f"{self.where}, {place}: {problem}{tail}; {self.advice}")
        return tuple(f"{self.where}, {place}: {problem}" for place, problem in self._problems)


class RowWarnings:
    """What was read differently than the file says it: one sentence per kind, with its count and the first places.

    >>> warnings = RowWarnings("a.conll")
    >>> warnings.add("tags changed to B-", "line 3")
    >>> warnings.add("tags changed to B-", "line 9")
    >>> warnings.close()
    ('a.conll: 2 tags changed to B- (line 3, line 9)',)

    Args:
        where: the file, as a message names it.
    """

    def __init__(self, where: str) -> None:
        self.where = where
        self._counts: Counter[str] = Counter()
        self._places: dict[str, list[str]] = {}

    def add(self, what: str, place: str) -> None:
        """Note one row.

        Args:
            what: what was done, as it reads after a number, e.g. "answers taken from the nearest place".
            place: where, e.g. "line 3".
        """
        self._counts[what] += 1
        if self._counts[what] <= _SHOWN:
            self._places.setdefault(what, []).append(place)

    def places(self, what: str) -> list[str]:
        """Return the first places of one kind."""
        return self._places.get(what, [])

    def close(self) -> tuple[str, ...]:
        """Return one sentence for each kind."""
        return tuple(
            f"{self.where}: {count} {what} ({', '.join(self._places[what])}{', ...' if count > _SHOWN else ''})"
            for what, count in self._counts.items()
        )


def decode_text(content: bytes, *, where: str, encoding: str | None = "utf-8") -> str:
    """Decode the bytes of a file, with or without a byte order mark.

    >>> decode_text(b"a b", where="a.txt")
    'a b'

    Args:
        content: the whole file.
        where: the file, as a message names it.
        encoding: name of the encoding; None follows the byte order mark, and is UTF-8 without one.

    Raises:
        UsageError: there is no such encoding.
        DataError: bytes that are not of the encoding; the sentence names their line.
    """
    form = text_form(content[:BLOCK], encoding=encoding, where=where)
    return "".join(text_blocks([content], where=where, encoding=encoding, form=form))


def own_bytes(path: Path, *, encoding: str | None) -> bytes:
    """Return a text file of the user's own as UTF-8 without a byte order mark.

    Raises:
        UsageError, DataError: as `decode_text`; or the file cannot be read.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    return decode_text(content, where=str(path), encoding=encoding).encode()


def split_lines(text: str) -> list[tuple[int, str]]:
    r"""Return (line number from 1, line) of every line that is not blank, split only at line feeds.

    `str.splitlines` would also split at U+0085, U+2028 and similar characters, which occur inside texts.

    >>> split_lines("a\r\n\nb\u2028c\n")
    [(1, 'a'), (3, 'b\u2028c')]
    """
    lines = ((number, bare(line)) for number, line in enumerate(text.split("\n"), start=1))
    return [(number, line) for number, line in lines if line]
