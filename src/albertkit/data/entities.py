"""Tags to entities: runs of words with a type, from tags of the schemes IOB, IOBES (BIOES) and BILOU.

Two ways to read tags:

    loose    seqeval's default, conlleval's: every word that is not O stands in an entity. I- or E- goes on with the
             entity of the word before it where that has the same type and does not end there; else a new one starts.
    strict   seqeval's mode="strict" with a scheme: IOB2 entities are B I*, IOBES entities B I* E or S; tags that do not
             make one are passed over.

The loose way takes BILOU's L- and U- for the E- and S- that they are; seqeval's default knows no such tags.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from albertkit.errors import DataError, UsageError

SCHEMES = ("IOB2", "IOBES")
"""Schemes of the strict way."""

_TAG = re.compile(r"O|[BIESLU](-.*)?", re.DOTALL)
_LOOSE = "OBIESLU"
_ALLOWED = {"IOB2": "OBI", "IOBES": "OBIES"}
_IOBES_MARK = {"L": "E", "U": "S"}


class Entity(NamedTuple):
    """A run of words with a type."""

    type: str
    first: int
    """Index of its first word."""
    last: int
    """Index of its last word."""


def marks_entities(labels: Iterable[str]) -> bool:
    """Tell whether labels are the tags of a scheme (O, B-PER, I-PER, ...).

    >>> marks_entities(["O", "B-PER"]), marks_entities(["NN", "VB"])
    (True, False)
    """
    return all(_TAG.fullmatch(label) for label in labels)


def find_entities(tags: Sequence[str], *, scheme: str | None = None) -> list[Entity]:
    """Return the entities of one text.

    >>> find_entities(["B-PER", "I-PER", "O", "I-LOC"])
    [Entity(type='PER', first=0, last=1), Entity(type='LOC', first=3, last=3)]
    >>> find_entities(["B-PER", "I-PER", "O", "I-LOC"], scheme="IOB2")
    [Entity(type='PER', first=0, last=1)]

    Args:
        tags: a tag for each word: "O", or one of B I E S (loose: L U too), "-" and a type.
        scheme: "IOB2" or "IOBES" for the strict way; the loose way if None.

    Raises:
        UsageError: an unknown scheme.
        DataError: a tag that the scheme does not have.
    """
    if scheme is not None and scheme not in SCHEMES:
        raise UsageError(f'unknown scheme "{scheme}"; known: {", ".join(SCHEMES)}')
    allowed = _LOOSE if scheme is None else _ALLOWED[scheme]
    found: list[Entity] = []
    is_open = False  # whether the last entity can go on
    for index, tag in enumerate(tags):
        if not _TAG.fullmatch(tag) or tag[0] not in allowed:
            known = scheme or "IOB or IOBES or BILOU"
            raise DataError(f'word {index}: "{tag:.40}" is no tag of {known} ({", ".join(allowed)})')
        mark, type_ = _IOBES_MARK.get(tag[0], tag[0]), tag[2:] or "_"
        if mark in "IE" and is_open and found[-1].type == type_:
            found[-1] = found[-1]._replace(last=index)
        else:
            if is_open and scheme == "IOBES":
                found.pop()  # begun and never ended
            if mark in "BS" or (scheme is None and mark in "IE"):
                found.append(Entity(type_, index, index))
            else:
                mark = "O"
        is_open = mark in "BI"
    if scheme == "IOBES" and is_open:
        found.pop()
    return found
