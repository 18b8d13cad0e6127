"""What a set of tags means, and its entities: runs of words with a type.

IOB     B-X begins an entity of type X, I-X continues it, O is outside
BIOES   IOB in which E ends an entity, and S is an entity of one word
BILOU   the same with L and U
IO      O and names without a prefix, of two characters or more: a run of words with the same tag is an entity
plain   any other set, such as parts of speech: every tag is a class of its own, and there are no entities

Two ways to read tags:

    loose    seqeval's default, conlleval's: every word that is not O is in an entity. I- or E- continues the
             entity of the word before it where that has the same type and does not end there; else a new one starts.
    strict   seqeval's mode="strict" with a scheme: IOB2 entities are B I*, IOBES entities B I* E or S; tags that do not
             make one are ignored.

The loose way takes BILOU's L- and U- for the E- and S- that they are, and IO's tags for I-; seqeval's default knows
neither.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from albertkit.errors import DataError, UsageError

SCHEMES = ("IOB2", "IOBES")
"""Schemes of the strict way."""

OUTSIDE = "O"
"""Tag of a word in no entity, in every scheme."""

_TAG = re.compile(r"O|[BIESLU](-.*)?", re.DOTALL)
_CHUNK = re.compile(r"([BIESLU])(?:-(.+))?", re.DOTALL)
MARKS = {"IOB": "BI", "BIOES": "BIES", "BILOU": "BILU"}
"""Scheme with prefixes -> its prefixes."""
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


def split_tag(tag: str) -> tuple[str, str]:
    """Return (prefix, type) of a tag with a prefix, the type "" where it has none; ("", tag) of any other tag.

    >>> split_tag("B-PER"), split_tag("I"), split_tag("O"), split_tag("NN")
    (('B', 'PER'), ('I', ''), ('', 'O'), ('', 'NN'))
    """
    match = _CHUNK.fullmatch(tag)
    return (match[1], match[2] or "") if match else ("", tag)


def tag_scheme(tags: Iterable[str]) -> str:
    """Name the scheme of a set of tags: IOB (IOB1 and IOB2 have the same tags), BIOES, BILOU, IO or plain.

    >>> tag_scheme(["O", "B-PER", "I-PER"]), tag_scheme(["O", "S-PER"]), tag_scheme(["NN", "VB"])
    ('IOB', 'BIOES', 'plain')
    >>> tag_scheme(["O", "PER", "LOC"]), tag_scheme(["O", "N", "V", "^"])
    ('IO', 'plain')
    """
    found = set(tags)
    inside = found - {OUTSIDE}
    prefixes = {split_tag(tag)[0] for tag in inside}
    if "" not in prefixes:
        return next((scheme for scheme, known in MARKS.items() if prefixes <= set(known)), "plain")
    # Tag sets of parts of speech that have an O write the others with one character, too (Gimpel et al., 2011).
    is_io = OUTSIDE in found and all(len(tag) > 1 and split_tag(tag)[0] not in ("B", "I") for tag in inside)
    return "IO" if is_io else "plain"


def marks_entities(labels: Iterable[str]) -> bool:
    """Return whether labels mark entities: the tags of any scheme but plain ones.

    >>> marks_entities(["O", "B-PER"]), marks_entities(["O", "PER"]), marks_entities(["NN", "VB"])
    (True, True, False)
    """
    return tag_scheme(labels) != "plain"


def find_entities(tags: Sequence[str], *, scheme: str | None = None) -> list[Entity]:
    """Return the entities of one text.

    >>> find_entities(["B-PER", "I-PER", "O", "I-LOC"])
    [Entity(type='PER', first=0, last=1), Entity(type='LOC', first=3, last=3)]
    >>> find_entities(["B-PER", "I-PER", "O", "I-LOC"], scheme="IOB2")
    [Entity(type='PER', first=0, last=1)]
    >>> find_entities(["PER", "PER", "O", "LOC"], scheme="IO")
    [Entity(type='PER', first=0, last=1), Entity(type='LOC', first=3, last=3)]

    Args:
        tags: a tag for each word: "O", or one of B I E S (loose: L U too), "-" and a type; "O" or a type for "IO".
        scheme: "IOB2" or "IOBES" for the strict way; "IO" for tags without prefixes; the loose way if None.

    Raises:
        UsageError: an unknown scheme.
        DataError: a tag that the scheme does not have.
    """
    if scheme == "IO":
        return find_entities([tag if tag == OUTSIDE else f"I-{tag}" for tag in tags])
    if scheme is not None and scheme not in SCHEMES:
        raise UsageError(f'unknown scheme "{scheme}"; known: {", ".join(SCHEMES)}')
    allowed = _LOOSE if scheme is None else _ALLOWED[scheme]
    found: list[Entity] = []
    is_open = False  # whether the last entity can continue
    for index, tag in enumerate(tags):
        if not _TAG.fullmatch(tag) or tag[0] not in allowed:
            known = scheme or "IOB or IOBES or BILOU"
            raise DataError(f'word {index}: "{tag:.40}" is not a tag of {known} ({", ".join(allowed)})')
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
