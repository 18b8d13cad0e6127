"""Tags of words as files spell them: IOB1 made IOB2, other spellings of the prefixes, and the labels of a data set.

The schemes are those of `albertkit.data.entities`.

IOB2 (BIO)      B-X begins every entity of type X, I-X continues it
IOB1            I-X begins an entity too; B-X is used only where an entity follows another of its type (CoNLL-2003)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from albertkit.data.entities import MARKS, OUTSIDE, split_tag, tag_scheme
from albertkit.errors import DataError

_ORDER = "BIELSU"
_UNDERSCORE = re.compile(r"([BIESLU])_(.+)", re.DOTALL)
_SUFFIX = re.compile(r"(.+)[-_]([BIESLU])", re.DOTALL)
_LOOKS_CHUNKED = re.compile(r"[BI][-_].+", re.DOTALL | re.IGNORECASE)


def to_iob2(tags: Sequence[str]) -> tuple[list[str], int]:
    """Make every entity begin with B-, as the official conlleval reads it, and count the tags changed.

    >>> to_iob2(["I-PER", "I-PER", "O", "I-LOC", "B-LOC"])
    (['B-PER', 'I-PER', 'O', 'B-LOC', 'B-LOC'], 2)

    Args:
        tags: those of one sentence, in IOB1 or IOB2.
    """
    changed, made = 0, []
    before = OUTSIDE
    for tag in tags:
        prefix, kind = split_tag(tag)
        if prefix == "I" and (before == OUTSIDE or split_tag(before)[1] != kind):
            made.append(_joined("B", kind))
            changed += 1
        else:
            made.append(tag)
        before = tag
    return made, changed


def respelled(tag: str) -> str:
    """Return a tag as the schemes have it: B-PER for B_PER, PER-B and PER_B; O for o.

    >>> respelled("I_work_of_art"), respelled("work-of-art-I"), respelled("o"), respelled("B-PER")
    ('I-work_of_art', 'I-work-of-art', 'O', 'B-PER')
    """
    if tag == "o":
        return OUTSIDE
    if split_tag(tag)[0]:
        return tag
    if match := _UNDERSCORE.fullmatch(tag):
        return f"{match[1]}-{match[2]}"
    match = _SUFFIX.fullmatch(tag)
    return f"{match[2]}-{match[1]}" if match else tag


def spellings(tags: Iterable[str]) -> Mapping[str, str]:
    """Return a mapping from each tag of a training file to its label.

    The tags stay as they are, unless all of them together have a scheme in another spelling: B_PER, PER-B, o.

    >>> spellings(["O", "PER-B", "PER-I"])
    {'O': 'O', 'PER-B': 'B-PER', 'PER-I': 'I-PER'}
    >>> spellings(["ADJ-B", "NOUN"])
    {'ADJ-B': 'ADJ-B', 'NOUN': 'NOUN'}
    """
    found = sorted(set(tags))
    made = {tag: respelled(tag) for tag in found}
    if {"B", "I"} & {split_tag(tag)[0] for tag in made.values()} and tag_scheme(made.values()) in MARKS:
        return made
    outside = {tag: OUTSIDE if tag == "o" else tag for tag in found}
    return outside if tag_scheme(outside.values()) == "IO" else {tag: tag for tag in found}


def known_tag(tag: str, *, labels: Sequence[str]) -> str:
    """Return the label that a tag of another file means, or the tag itself if there is none.

    >>> known_tag("PER-B", labels=("O", "B-PER", "I-PER")), known_tag("o", labels=("O", "PER"))
    ('B-PER', 'O')
    """
    other = respelled(tag)
    return other if tag not in labels and other in labels and tag_scheme(labels) != "plain" else tag


def collect_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Return the labels of a data set with these tags: O first, then by type, within a type B before I before the rest.

    A scheme with prefixes has O and, for each of its types, every prefix, whether or not a word has them: what training
    lacks another file may have. Whole numbers are in their own order.

    >>> collect_tags(["O", "I-PER", "B-PER", "B-LOC"])
    ('O', 'B-LOC', 'I-LOC', 'B-PER', 'I-PER')
    >>> collect_tags(["VERB", "NOUN"]), collect_tags(["9", "10"])
    (('NOUN', 'VERB'), ('9', '10'))
    """
    labels = set(tags)
    marks = MARKS.get(tag_scheme(labels))
    if marks is not None:
        kinds = {split_tag(tag)[1] for tag in labels - {OUTSIDE}}
        labels |= {OUTSIDE, *(_joined(mark, kind) for kind in kinds for mark in marks)}

    def place(tag: str) -> tuple[bool, int, str, int]:
        prefix, kind = split_tag(tag)
        return tag != OUTSIDE, int(tag) if re.fullmatch("[0-9]{1,9}", tag) else 0, kind, _ORDER.find(prefix or " ")

    return tuple(sorted(labels, key=place))


def require_distinct(labels: Iterable[str], *, where: str) -> None:
    """Refuse labels that differ in nothing but capitals, which are a slip of the pen.

    Args:
        labels: names of tags.
        where: the file, as a message names it.

    Raises:
        DataError: names both.
    """
    seen: dict[str, str] = {}
    for label in labels:
        other = seen.setdefault(label.casefold(), label)
        if other != label:
            raise DataError(
                f'{where}: the tags "{other}" and "{label}" differ only in capital letters and would become two '
                "labels; spell them alike"
            )


def require_one_scheme(labels: Iterable[str], *, where: str) -> None:
    """Refuse tags of which some begin with B- or I- although all together have no scheme with prefixes.

    Args:
        labels: names of tags.
        where: the file, as a message names it.

    Raises:
        DataError: names the tags.
    """
    found = sorted(set(labels))
    if tag_scheme(found) in MARKS or not any(map(_LOOKS_CHUNKED.fullmatch, found)):
        return
    shown = ", ".join(f"{label:.40}" for label in found[:8]) + (", ..." if len(found) > 8 else "")
    raise DataError(
        f"{where}: the tags ({shown}) do not follow one scheme; write all of them as O, B-TYPE and I-TYPE "
        "(or all in BIOES or BILOU), or all without prefixes"
    )


def _joined(prefix: str, kind: str) -> str:
    return f"{prefix}-{kind}" if kind else prefix
