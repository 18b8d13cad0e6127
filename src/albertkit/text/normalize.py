"""Normalize a text for SentencePiece, and map each character of the result to the original.

A compatibility mode is a row of the table `MODES`. `Normalization.apply` is the fast way (it skips the Unicode work for
ASCII text); `Normalization.align` does the same and returns which characters of the original each result comes from.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal, NamedTuple

from albertkit.errors import UsageError, did_you_mean


class Aligned(NamedTuple):
    """A text and, for each of its characters, the span `[start, end)` of the original that it comes from."""

    text: str
    """The text, `n` characters."""
    starts: list[int]
    """Where each character's span starts, in characters of the original, `[n]`."""
    ends: list[int]
    """Where it ends, `[n]`."""


@dataclass(frozen=True)
class Normalization:
    """The steps before SentencePiece, in this order."""

    collapse: bool = True
    """Each run of whitespace (as Python's str.split sees it) becomes one space; none at the ends."""
    quotes: bool = False
    """Two backticks or two apostrophes become a double quote."""
    decompose: Literal["NFKD", "NFD"] | None = "NFKD"
    """The Unicode decomposition, or None."""
    strip: Literal["combining", "Mn"] | None = "combining"
    """Drop characters with a combining class other than 0, or those of category Mn, or None."""
    case: Literal["lower", "fold"] | None = "lower"
    """Python's str.lower, Unicode's NFKC_Casefold (what TF Text calls case folding), or None."""
    digit_comma: bool = True
    """A piece that ends in a digit and a comma is encoded again without the comma."""

    def with_accents(self) -> Normalization:
        """Return the same steps without decomposition and without dropping marks."""
        return replace(self, decompose=None, strip=None)

    def apply(self, text: str) -> str:
        """Return the normalized text, the input of SentencePiece.

        >>> MODES["google"].apply("  Caf\\u00e9  \\ufb01ne ")
        'cafe fine'
        """
        if self.collapse:
            text = " ".join(text.split())
        if self.quotes:
            text = _double_quotes(text)
        if not text.isascii():
            if self.decompose:
                text = unicodedata.normalize(self.decompose, _with_sorted_marks(text, self.decompose))
            if self.strip:
                dropped = _DROPPED[self.strip]
                # Few texts hold marks, and those that do hold few kinds: check once per kind, not once per character.
                marks = [character for character in set(text) if dropped(character)]
                text = text.translate(dict.fromkeys(map(ord, marks))) if marks else text
            if self.case == "fold":
                return nfkc_casefold(text)
        return text.lower() if self.case else text

    def apply_loosely(self, text: str) -> str:
        """Return `apply(text)`, but maybe with more spaces: for a reader that collapses them itself.

        Printable ASCII need not be taken into words then, which is the longest step.
        """
        if self.collapse and text.isascii():
            plain = text if text.isprintable() else text.replace("\n", " ").replace("\t", " ")
            if plain.isprintable():
                plain = _double_quotes(plain) if self.quotes else plain
                return plain.lower() if self.case else plain
        return self.apply(text)

    def align(self, text: str) -> Aligned:
        """Return `apply(text)` with the span of the original behind each character.

        A dropped mark belongs to the character it stood on. Characters that come from one (a ligature) share its span.

        >>> MODES["google"].align(" \\ufb01 ne\\u0301")
        Aligned(text='fi ne', starts=[1, 1, 2, 3, 4], ends=[2, 2, 3, 4, 6])
        """
        aligned = _collapse(text) if self.collapse else _identity(text)
        if self.quotes:
            aligned = _replace_quotes(aligned)
        if not aligned.text.isascii():
            if self.decompose:
                aligned = _decompose(aligned, self.decompose)
            if self.strip:
                aligned = _drop(aligned, _DROPPED[self.strip])
            if self.case == "fold":
                return _fold(aligned)
        return _lower(aligned) if self.case else aligned


MODES: Mapping[str, Normalization] = {
    # google-research/albert tokenization.py, preprocess_text and encode_pieces.
    "google": Normalization(),
    # transformers' slow AlbertTokenizer: Google's rules and the rule for quotes.
    "huggingface": Normalization(quotes=True),
    # TF Hub's albert_en_preprocess (tf-models-official SentencepieceTokenizer); the library collapses the spaces.
    "tfhub": Normalization(collapse=False, decompose="NFD", strip="Mn", case="fold", digit_comma=False),
    # KerasHub's AlbertTokenizer: SentencePiece and nothing else, so capitals are unknown to the official vocabulary.
    "keras": Normalization(collapse=False, decompose=None, strip=None, case=None, digit_comma=False),
    # ALBERT.jl (WordTokenizers.jl): the same for plain text. Ids here count from 0, in Julia from 1.
    "julia": Normalization(collapse=False, decompose=None, strip=None, case=None, digit_comma=False),
}
"""Compatibility modes: whose ids to reproduce."""


def normalization(mode: str, *, keep_accents: bool = False) -> Normalization:
    """Return the steps of a mode.

    >>> normalization("google", keep_accents=True).decompose is None
    True

    Args:
        mode: a name in MODES.
        keep_accents: leave out decomposition and the dropping of marks.

    Raises:
        UsageError: the mode is unknown; the sentence holds the nearest one.
    """
    if mode not in MODES:
        raise UsageError(f'unknown tokenizer mode "{mode}"{did_you_mean(mode, MODES)} (known: {", ".join(MODES)})')
    return MODES[mode].with_accents() if keep_accents else MODES[mode]


IGNORABLE = (
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]+"
)
"""Unicode's Default_Ignorable_Code_Point as a regular expression: what NFKC_Casefold removes."""

_IGNORABLE = re.compile(IGNORABLE)
_WORD = re.compile(r"\S+")
_QUOTES = re.compile("``|''")
_DROPPED: Mapping[str, Callable[[str], bool]] = {
    "combining": lambda character: unicodedata.combining(character) != 0,
    "Mn": lambda character: unicodedata.category(character) == "Mn",
}
# How far back a character of a text can matter to the folding of the next one; longer runs of marks are rare.
_FOLDING_WINDOW = 32


def nfkc_casefold(text: str) -> str:
    """Return Unicode's NFKC_Casefold of a text.

    >>> nfkc_casefold("Stra\\u00dfe \\ufb01t\\u200b")
    'strasse fit'
    """
    folded = unicodedata.normalize("NFD", _with_sorted_marks(text, "NFD")).casefold()
    folded = unicodedata.normalize("NFKC", _with_sorted_marks(folded, "NFKD")).casefold()
    return unicodedata.normalize("NFKC", _IGNORABLE.sub("", folded))


_LONG_RUN = re.compile("[\\W\uff9e\uff9f]{100,}")
"""No mark is a letter, but for two Japanese ones that become marks in NFKD."""


def _with_sorted_marks(text: str, form: Literal["NFD", "NFKD"]) -> str:
    """Return the text with long runs of marks decomposed and in canonical order, which normalization gives anyway.

    Python sorts them by insertion: 100,000 marks in a bad order would take it 17 seconds, in which no other thread
    runs. Texts that people write have runs of three at most.
    """

    def in_order(run: re.Match[str]) -> str:
        parts = [part for character in run.group() for part in unicodedata.normalize(form, character)]
        groups = groupby(parts, key=lambda part: unicodedata.combining(part) > 0)
        return "".join(
            part
            for are_marks, group in groups
            for part in (sorted(group, key=unicodedata.combining) if are_marks else group)
        )

    return text if text.isascii() else _LONG_RUN.sub(in_order, text)


def _double_quotes(text: str) -> str:
    return text.replace("``", '"').replace("''", '"')


def _identity(text: str) -> Aligned:
    return Aligned(text, list(range(len(text))), list(range(1, len(text) + 1)))


def _collapse(text: str) -> Aligned:
    stripped = text.strip()
    if len(" ".join(stripped.split())) == len(stripped):  # single spaces: only the ends go
        first = len(text) - len(text.lstrip())
        last = first + len(stripped)
        return Aligned(" ".join(stripped.split()), list(range(first, last)), list(range(first + 1, last + 1)))
    words: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    for match in _WORD.finditer(text):
        if words:
            starts.append(ends[-1])
            ends.append(match.start())
        words.append(match.group())
        starts.extend(range(match.start(), match.end()))
        ends.extend(range(match.start() + 1, match.end() + 1))
    return Aligned(" ".join(words), starts, ends)


def _replace_quotes(aligned: Aligned) -> Aligned:
    # Backticks first, then apostrophes: neither can make or break the other, so one pass is the same.
    text, starts, ends, done = [], [], [], 0
    for match in _QUOTES.finditer(aligned.text):
        text += [aligned.text[done : match.start()], '"']
        starts += [*aligned.starts[done : match.start()], aligned.starts[match.start()]]
        ends += [*aligned.ends[done : match.start()], aligned.ends[match.end() - 1]]
        done = match.end()
    return Aligned("".join([*text, aligned.text[done:]]), starts + aligned.starts[done:], ends + aligned.ends[done:])


def _decompose(aligned: Aligned, form: Literal["NFKD", "NFD"]) -> Aligned:
    if unicodedata.is_normalized(form, aligned.text):
        return aligned
    rows = [
        (part, start, end)
        for character, start, end in zip(*aligned, strict=True)
        for part in (character if character.isascii() else unicodedata.normalize(form, character))
    ]
    # Canonical order: each run of marks is sorted by combining class, marks of one class keep their order.
    first = 0
    while first < len(rows):
        last = first
        while last < len(rows) and unicodedata.combining(rows[last][0]):
            last += 1
        if last - first > 1:
            rows[first:last] = sorted(rows[first:last], key=lambda row: unicodedata.combining(row[0]))
        first = last + 1
    return _from_rows(rows)


def _drop(aligned: Aligned, dropped: Callable[[str], bool]) -> Aligned:
    marks = {character for character in set(aligned.text) if dropped(character)}
    if not marks:
        return aligned
    rows: list[tuple[str, int, int]] = []
    for character, start, end in zip(*aligned, strict=True):
        if character not in marks:
            rows.append((character, start, end))
        elif rows and not rows[-1][0].isspace():
            kept, kept_start, kept_end = rows[-1]
            rows[-1] = (kept, kept_start, max(kept_end, end))
    return _from_rows(rows)


def _lower(aligned: Aligned) -> Aligned:
    lowered = aligned.text.lower()
    if len(lowered) == len(aligned.text):
        return Aligned(lowered, aligned.starts, aligned.ends)
    # Only the number of characters is taken one by one: a final sigma depends on its word, yet stays one character.
    counts = [len(character.lower()) for character in aligned.text]
    return _repeat(lowered, aligned, counts)


def _fold(aligned: Aligned) -> Aligned:
    clusters: list[str] = []
    for character in aligned.text:
        before = clusters[-1][-_FOLDING_WINDOW:] if clusters and not character.isascii() else ""
        if before and nfkc_casefold(before + character) != nfkc_casefold(before) + nfkc_casefold(character):
            clusters[-1] += character
        else:
            clusters.append(character)
    folded = [nfkc_casefold(cluster) for cluster in clusters]
    whole = nfkc_casefold(aligned.text)
    if "".join(folded) != whole:  # a context wider than the window: the span of the whole is still true
        clusters, folded = [aligned.text], [whole]
    rows, position = [], 0
    for cluster, result in zip(clusters, folded, strict=True):
        span = slice(position, position + len(cluster))
        rows += [(part, min(aligned.starts[span]), max(aligned.ends[span])) for part in result]
        position += len(cluster)
    return _from_rows(rows)


def _repeat(text: str, aligned: Aligned, counts: list[int]) -> Aligned:
    starts = [start for start, count in zip(aligned.starts, counts, strict=True) for _ in range(count)]
    ends = [end for end, count in zip(aligned.ends, counts, strict=True) for _ in range(count)]
    return Aligned(text, starts, ends)


def _from_rows(rows: list[tuple[str, int, int]]) -> Aligned:
    return Aligned("".join([row[0] for row in rows]), [row[1] for row in rows], [row[2] for row in rows])
