"""Learn how the words of training data were split, so that raw text is split in the same way.

`split_words` makes pieces: runs of letters and digits, and single marks. Training data may keep several pieces in one
word ("U.S.", "30-year-old", "'s"), and a treebank splits "don't" into "do" and "n't". Which pieces make one word is
learned by shape (all of "9.9"), and by the word itself where it differs from most of its shape ("Mr.", but "work" and
"."; "I" and "'ve", but "O'Brien").

    shape    A one letter, a several letters, 9 digits, x letters and digits; a mark is itself
             repeated units count twice ("A.A.A." is "A.A."), a mark that is repeated three times
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from itertools import islice
from typing import Any

from albertkit.data.words import CJK, split_words
from albertkit.errors import UsageError

Span = tuple[int, int]

START = "^"
"""Before a shape: at the beginning of a text it is the other way round ("1." of a list, else "1996" and ".")."""

_LONGEST = 40
"""Pieces of a word at most."""
_APOSTROPHES = str.maketrans("\u2018\u2019", "''")
_REPEATED = re.compile(r"(..)\1{2,}")
_REPEATED_MARK = re.compile(r"(.)\1{3,}")
_HAS_CJK = re.compile(f"[{CJK}]")
_CLITIC = re.compile("[a-z]'[a-z]{1,2}", re.IGNORECASE)
_DASHES = frozenset(("-", "--", "\u2013", "\u2014"))
_TEXTS = 50_000
_NEIGHBOURS = 4
"""Neighbouring words that are looked at together."""


@dataclass(frozen=True)
class WordJoins:
    """Which pieces of a raw text make one word; none do where the sets are empty."""

    shapes: frozenset[str]
    """Shapes that are one word; those after `START` are so, or are not, at the beginning of a text only."""
    words: frozenset[str]
    """Words that are one although their shape is several."""
    parted: frozenset[str] = frozenset()
    """Texts that are several words although their shape is one."""

    @classmethod
    def from_lists(cls, values: Any) -> WordJoins:
        """Return what `to_lists` gave.

        Raises:
            UsageError: the values are no lists of texts under the three names.
        """
        names = [entry.name for entry in fields(cls)]
        lists: list[Any] = [values.get(name) for name in names] if isinstance(values, Mapping) else [None]
        if not all(isinstance(own, list) and all(isinstance(one, str) for one in own) for own in lists):
            raise UsageError(f"word_joins must have the lists {', '.join(names)}, of texts; take the entry out")
        return cls(*(frozenset(own) for own in lists))

    def to_lists(self) -> dict[str, list[str]]:
        """Return the sets as sorted lists, for JSON."""
        return {entry.name: sorted(getattr(self, entry.name)) for entry in fields(self)}

    def split(self, text: str) -> tuple[Span, ...]:
        """Return the span `[start, end)` of each word of a raw text, in characters.

        >>> joins = learn_joins([["It", "'s", "U.S.", "law", "."], ["Mr.", "Ai", "does", "n't", "care", "."]])
        >>> text = "He's U.S.-born. Mr. Wu wouldn't!"
        >>> [text[start:end] for start, end in joins.split(text)]
        ['He', "'s", 'U.S.', '-', 'born', '.', 'Mr.', 'Wu', 'would', "n't", '!']
        """
        plain = text.translate(_APOSTROPHES)
        pieces = split_words(text)
        classes = [_class_of(plain[start:end]) for start, end in pieces]
        words: list[Span] = []
        at = 0
        while at < len(pieces):
            count = self._joined(plain, pieces, classes, at)
            start, end = pieces[at][0], pieces[at + count - 1][1]
            clitic = self._clitic(plain, pieces, at) if count == 1 else None
            if clitic is not None:
                words += [(start, clitic[0]), clitic]
                at += 3
            else:
                words.append((start, end))
                at += count
        return tuple(words)

    def _joined(self, text: str, pieces: Sequence[Span], classes: Sequence[str], at: int) -> int:
        """Return the number of pieces from `at` on that make one word: the most that do."""
        found, shape = 1, classes[at]
        for last in range(at + 1, min(at + _LONGEST, len(pieces))):
            if pieces[last][0] != pieces[last - 1][1]:
                break
            shape += classes[last]
            short = _collapsed(shape)
            by_shape = (short in self.shapes) != (at == 0 and START + short in self.shapes)
            own = text[pieces[at][0] : pieces[last][1]]
            if (by_shape and own not in self.parted) or own in self.words:
                found = last - at + 1
        return found

    def _clitic(self, text: str, pieces: Sequence[Span], at: int) -> Span | None:
        """Return the span of a known word that takes the last letter of the piece `at` ("n't"), or None."""
        if at + 3 > len(pieces):
            return None
        (first, end), mark, last = pieces[at : at + 3]
        glued = mark == (end, end + 1) and last[0] == end + 1 and end - first > 1
        return (end - 1, last[1]) if glued and text[end - 1 : last[1]].lower() in self.words else None


def learn_joins(texts: Iterable[Sequence[str]]) -> WordJoins:
    """Return how words were split; nothing is joined where every word is a single piece of `split_words`.

    Neighbours in the data count as glued together in raw text wherever a mark is at their border: "work" and "." speak
    against words of the shape "a.".

    Args:
        texts: the words of each text; the first 50,000 are read.
    """
    shapes, starts = Counter[str](), Counter[str]()  # one word: + 1, several: - 1
    whole, several = Counter[tuple[str, str]](), Counter[tuple[str, str]]()  # by text and shape
    classes: dict[str, str] = {}
    for given in islice(texts, _TEXTS):
        words = [word.translate(_APOSTROPHES) for word in given]
        for word in words:
            if word not in classes:
                classes[word] = _classes(word)
        for first, number, shape in _runs(words, [classes[word] for word in words]):
            joined = "".join(words[first : first + number])
            has_dash = number > 1 and not _DASHES.isdisjoint(words[first : first + number])
            if not has_dash:  # a dash that is a word has blanks around it
                (whole if number == 1 else several)[joined, shape] += 1
            if number == 1 and _CLITIC.fullmatch(joined):
                continue  # it is glued to the word before it, so its shape says nothing of raw text
            if first:
                shapes[shape] += 1 if number == 1 else -1
            elif not has_dash:
                starts[shape] += 1 if number == 1 else -1
    general = {shape for shape in {*shapes, *starts} if (shapes[shape] or starts[shape]) > 0}
    turned = {START + shape for shape, sum_ in starts.items() if sum_ and (sum_ > 0) != (shape in general)}
    named = {
        word
        for (word, shape), count in whole.items()
        if count > several[word, shape] and (shape not in general or _CLITIC.fullmatch(word))
    }
    parted = {
        word for (word, shape), count in several.items() if shape in general and count > max(1, whole[word, shape])
    }
    return WordJoins(frozenset(general | turned), frozenset(named), frozenset(parted))


def _runs(words: Sequence[str], classes: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """Yield (number of the first, how many, shape) of words of several pieces, and of neighbours as raw text glues."""
    for first, own in enumerate(classes):
        if len(own) > 1:
            yield first, 1, _collapsed(own)
        shape = own
        for last in range(first + 1, min(first + _NEIGHBOURS, len(words))):
            shape += classes[last]
            if not own or not classes[last] or (_is_letter(words[last - 1][-1]) and _is_letter(words[last][0])):
                break  # a blank is between them
            yield first, last - first + 1, _collapsed(shape)


def _is_letter(character: str) -> bool:
    return character.isalnum() or character == "_"


def _classes(word: str) -> str:
    """Return a letter or mark for each piece of a word; nothing for one with blanks, or with Chinese or Japanese."""
    if _HAS_CJK.search(word) or any(map(str.isspace, word)):
        return ""
    return "".join(_class_of(word[start:end]) for start, end in split_words(word))


def _class_of(piece: str) -> str:
    if not any(map(_is_letter, piece)):
        return piece[0]
    if piece.isdecimal():
        return "9"
    if any(map(str.isdecimal, piece)):
        return "x"
    return "A" if len(piece) == 1 else "a"


@lru_cache(maxsize=1 << 14)
def _collapsed(shape: str) -> str:
    return _REPEATED.sub(r"\1\1", _REPEATED_MARK.sub(r"\1\1\1", shape))
