"""Texts from a byte stream, one line each: plain or JSON, single or in pairs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from albertkit.errors import DataError

_WHERE = "standard input"


def read_lines(
    stream: Iterable[bytes], *, pairs: bool = False, jsonl: bool = False, where: str = _WHERE
) -> Iterator[tuple[str, str | None]]:
    """Read one text, or a pair of texts, from each line; lines end at a line feed and at nothing else.

    >>> list(read_lines([b"one\\r\\n", b"two"]))
    [('one\\r', None), ('two', None)]
    >>> list(read_lines([b'["A", "B"]\\n'], jsonl=True))
    [('A', 'B')]

    Args:
        stream: the lines as bytes, as a binary file gives them.
        pairs: each line is a pair: two plain texts with a tab between, or a JSON list of two strings.
        jsonl: each line is a JSON string, or a JSON list of two.
        where: what an error message calls the stream.

    Raises:
        DataError: a line is not UTF-8, not JSON, or not what is asked for; the sentence holds its number, from 1.
    """
    for number, raw in enumerate(stream, start=1):
        place = f"{where}, line {number}"
        try:
            line = raw.removesuffix(b"\n").decode("utf-8")
        except UnicodeDecodeError as error:
            raise DataError(
                f"{place}: byte {error.start} (0x{raw[error.start]:02x}) is not UTF-8; convert the input first, "
                "e.g. with iconv -f latin1 -t utf-8"
            ) from error
        if jsonl:
            yield _from_json(line, pairs=pairs, place=place)
        elif pairs:
            parts = line.split("\t")
            if len(parts) != 2:
                raise DataError(f"{place}: {len(parts) - 1} tabs where a pair has 1; put one tab between two texts")
            yield parts[0], parts[1]
        else:
            yield line, None


def _from_json(line: str, *, pairs: bool, place: str) -> tuple[str, str | None]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{place}: {line!r:.60} is not JSON ({error}); give one JSON string a line") from error
    if isinstance(value, list) and len(value) == 2 and all(isinstance(text, str) for text in value):
        return value[0], value[1]
    if isinstance(value, str) and not pairs:
        return value, None
    wanted = "a list of two strings" if pairs else "a string or a list of two strings"
    raise DataError(f"{place}: {line!r:.60} is not {wanted}; repair the line")
