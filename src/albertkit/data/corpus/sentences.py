"""Splitting English paragraphs into sentences by rule: a stop, what may close behind it, space, and a capital.

One regular expression finds the candidates; a single full stop is looked at again, for the word before it. Chinese and
Japanese stops need no space behind them.
"""

from __future__ import annotations

import re

_OPENING = "\"'\u201c\u2018\u00ab([{*_\u2014\u2013-"
_CLOSING = "\"'\u201d\u2019\u00bb\u300d\u300f\uff09)]}*_"
_WIDE = "\u3002\uff01\uff1f"
_STOPS = "[.!?\u2026" + _WIDE + "]"
# The first character is a plain set, for which the engine skips through a text quickly; the look-behind after it keeps
# a long row of dots linear.
_CANDIDATE = re.compile(
    rf"({_STOPS}(?<!{_STOPS}{_STOPS}){_STOPS}*)([{re.escape(_CLOSING)}]*)(\s*)(?=[{re.escape(_OPENING)}]*(\S))"
)
_WORD = re.compile(r"[^\W\d_]+")
_ROMAN = re.compile(r"[IVXLC]{2,}\b")
_WINDOW = 24  # characters before a stop, more than any abbreviation has

_NEVER_END = frozenset(
    "mr mrs ms messrs mme mlle dr drs prof rev hon gen col capt cpt lt sgt maj cpl adm gov sen rep pres supt "
    "mgr msgr vs cf viz e.g i.e eg ie approx".split()
)
_BEFORE_NUMBERS = frozenset(
    "no nos fig figs vol vols p pp ch chap sec sect art eq bk pt par ver ca jan feb mar apr jun jul aug sep sept oct "
    "nov dec".split()
)
_MAY_END = frozenset("etc inc co corp ltd jr sr bros dept univ assn esq al st mt ft ave blvd".split())
_STARTERS = frozenset(
    "the a an he she it they we i you this that these those there here in on at by for from with to of as if when "
    "while where why how what who which but and or so yet nor not no yes then now after before since because "
    "although though however his her its their our my your one some many most all each every both another such "
    "once upon during under over among between into through despite instead perhaps still even just only also "
    "thus hence therefore meanwhile moreover later soon today let".split()
)


def split_sentences(paragraph: str) -> list[str]:
    """Return the sentences of a paragraph, without the space around them.

    >>> split_sentences('"Is it?" he asked. Mr. J. Smith paid $3.50 at 5 p.m. Then he left.')
    ['"Is it?" he asked.', 'Mr. J. Smith paid $3.50 at 5 p.m.', 'Then he left.']

    Args:
        paragraph: text in its own case.
    """
    sentences: list[str] = []
    start = 0
    for match in _CANDIDATE.finditer(paragraph):
        if _ends(paragraph, match, start):
            sentences.append(paragraph[start : match.end(2)].strip())
            start = match.end()
    last = paragraph[start:].strip()
    if last:
        sentences.append(last)
    return sentences


def _ends(paragraph: str, match: re.Match[str], start: int) -> bool:
    stop, _, space, following = match.groups()
    if not space:
        return stop[-1] in _WIDE
    if following.islower() or following in ",;:.!?)]}":
        return False
    if stop != ".":
        return True
    dot = match.start()
    words = paragraph[max(start, dot - _WINDOW) : dot].rsplit(None, 1)
    if not words:
        return True
    word = words[-1].replace("\u2014", "-").rpartition("-")[2].lstrip(_OPENING)
    lower = word.lower()
    if lower in _NEVER_END:
        return False
    if lower in _BEFORE_NUMBERS and (following.isdigit() or _ROMAN.match(paragraph, match.start(4))):
        return False
    if len(word) <= 3 and word.isdigit() and paragraph[start:dot].strip() == word:
        return False  # "1. The first point"
    if lower in _MAY_END or _initials(word):
        return _starts_sentence(paragraph, match.start(4))
    return True


def _initials(word: str) -> bool:
    """Whether a word before a stop looks like J, U.S, a.m, Ph.D."""
    if len(word) == 1:
        return word.isalpha()
    return "." in word and all(part.isalpha() and len(part) <= 2 for part in word.split("."))


def _starts_sentence(paragraph: str, position: int) -> bool:
    match = _WORD.match(paragraph, position)
    if match is None or match.group().lower() not in _STARTERS:
        return False
    return not (len(match.group()) == 1 and paragraph.startswith(".", match.end()))  # the A of "J. A. Smith"
