"""Encoding: one tokenised input with pieces and offsets, and the parts that it is built from."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from albertkit.errors import TextError
from albertkit.text.offsets import Offset


class Tokens(NamedTuple):
    """The tokens of one text, without special tokens around them; the lists are equally long."""

    ids: list[int]
    """Token ids."""
    pieces: list[str]
    """Pieces; unknown ones keep their characters."""
    offsets: list[Offset]
    """Span `[start, end)` of each token in characters of the text."""


@dataclass(frozen=True)
class Encoding:
    """One tokenised input with all that is known of its tokens; the lists are equally long."""

    input_ids: list[int]
    """Token ids."""
    pieces: list[str]
    """Pieces; an unknown token keeps its characters here, U+2581 marks the start of a word."""
    offsets: list[Offset]
    """Span `[start, end)` of each token in characters of its own text as given; (0, 0) for added special tokens, an
    empty span for a token that is only a space."""
    token_type_ids: list[int]
    """0 for the first text and its special tokens, 1 for the second."""
    truncated: int
    """Number of tokens that max_length dropped."""


def join_tokens(rows: Sequence[Tokens], *, kept: Sequence[int], around: tuple[int, int] | None) -> Encoding:
    """Join the tokens of one text or of a pair.

    >>> join_tokens([Tokens([31], ["\\u2581i"], [(0, 1)])], kept=[1], around=(2, 3)).pieces == [
    ...     "[CLS]", "\\u2581i", "[SEP]"
    ... ]
    True

    Args:
        rows: the tokens of each text.
        kept: how many tokens of each text stay, from its start.
        around: ids of [CLS] and [SEP], or None to put no special tokens there.
    """
    encoding = Encoding([], [], [], [], truncated=sum(len(row.ids) for row in rows) - sum(kept[: len(rows)]))
    cls = Tokens([around[0]], ["[CLS]"], [(0, 0)]) if around else Tokens([], [], [])
    sep = Tokens([around[1]], ["[SEP]"], [(0, 0)]) if around else Tokens([], [], [])
    for segment, (row, count) in enumerate(zip(rows, kept, strict=False)):
        own = Tokens(row.ids[:count], row.pieces[:count], row.offsets[:count])
        for tokens in ([cls] if segment == 0 else []) + [own, sep]:
            encoding.input_ids.extend(tokens.ids)
            encoding.pieces.extend(tokens.pieces)
            encoding.offsets.extend(tokens.offsets)
            encoding.token_type_ids.extend([segment] * len(tokens.ids))
    return encoding


def special_parts(text: str, allowed: Collection[str]) -> Iterator[tuple[int, int, bool]]:
    """Cut a text at the special tokens that count as such: start, end, and whether the part is one.

    >>> list(special_parts("a [MASK].", {"[MASK]"}))
    [(0, 2, False), (2, 8, True), (8, 9, False)]
    """
    done = 0
    if allowed:
        for match in re.finditer("|".join(map(re.escape, sorted(allowed))), text):
            yield done, match.start(), False
            yield match.start(), match.end(), True
            done = match.end()
    yield done, len(text), False


def checked_text(text: str, *, number: int) -> str:
    """Return the text if it can be tokenised.

    Args:
        text: what should be a str.
        number: its place among the texts of the call, from 0, for the error message.

    Raises:
        TextError: not a str, or a lone surrogate in it.
    """
    if not isinstance(text, str):
        raise TextError(
            f"text {number} (counted from 0) is {text!r:.40} ({type(text).__name__}), not a string; "
            "drop the row or put a text there"
        )
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise TextError(
                f"text {number} (counted from 0), character {error.start}: the lone surrogate "
                f"U+{ord(text[error.start]):04X} is not a character; replace it, e.g. with U+FFFD"
            ) from error
    return text
