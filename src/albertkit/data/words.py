"""Split a raw text into words for tagging if the text is not split yet."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

# Chinese and Japanese have no blanks between words: there each character is one.
CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_WORD = re.compile(rf"[{CJK}]|(?:(?![{CJK}])\w)+|[^\w\s]")
_LETTERS = re.compile(rf"(?![{CJK}])\w")


def split_words(text: str) -> tuple[tuple[int, int], ...]:
    """Return the span `[start, end)` of each word, in characters: letters and digits between blanks.

    Each punctuation mark is a word. A combining accent or a vowel sign belongs to the word around it. Every character
    except whitespace is in a word.

    >>> split_words("Ada's, too")
    ((0, 3), (3, 4), (4, 5), (5, 6), (7, 10))
    """
    words: list[tuple[int, int]] = []
    for match in _WORD.finditer(text):
        start, end = match.span()
        if words and words[-1][1] == start and _goes_on(text, start):
            words[-1] = (words[-1][0], end)
        else:
            words.append((start, end))
    return tuple(words)


def join_words(words: Sequence[str]) -> tuple[str, tuple[tuple[int, int], ...]]:
    """Return the text that the words make with a blank between them, and the span of each.

    >>> join_words(["New", "York"])
    ('New York', ((0, 3), (4, 8)))
    """
    spans, at = [], 0
    for word in words:
        spans.append((at, at + len(word)))
        at += len(word) + 1
    return " ".join(words), tuple(spans)


def _goes_on(text: str, place: int) -> bool:
    # Python's \w leaves out combining characters, so a word with one comes in parts.
    if _is_combining(text[place]):
        return True
    return _is_combining(text[place - 1]) and _LETTERS.match(text, place) is not None


def _is_combining(character: str) -> bool:
    return not character.isascii() and unicodedata.category(character).startswith("M")
