"""Tags of words: which scheme they follow, IOB1 made IOB2, and the labels of a data set in a fixed order.

IOB2 (BIO)      B-X begins every chunk of type X, I-X goes on with it, O is outside
IOB1            I-X begins a chunk too; B-X is used only where a chunk follows another of its type (CoNLL-2003)
BIOES, BILOU    E or L ends a chunk, S or U is a chunk of one word
plain           any other set of tags, such as parts of speech
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from albertkit.errors import DataError

_ORDER = "BIELSU"
_SCHEMES = {"IOB": "BI", "BIOES": "BIES", "BILOU": "BILU"}


def split_tag(tag: str) -> tuple[str, str]:
    """Return (prefix, type) of a chunk tag; ("", tag) of any other.

    >>> split_tag("B-PER"), split_tag("O"), split_tag("NN")
    (('B', 'PER'), ('', 'O'), ('', 'NN'))
    """
    if len(tag) > 2 and tag[0] in _ORDER and tag[1] == "-":
        return tag[0], tag[2:]
    return "", tag


def tag_scheme(tags: Iterable[str]) -> str:
    """Name the scheme of a set of tags: IOB (IOB1 and IOB2 have the same tags), BIOES, BILOU or plain.

    >>> tag_scheme(["O", "B-PER", "I-PER"]), tag_scheme(["O", "S-PER"]), tag_scheme(["NN", "VB"])
    ('IOB', 'BIOES', 'plain')
    """
    prefixes = {split_tag(tag)[0] for tag in tags if tag != "O"}
    if "" in prefixes:
        return "plain"
    return next((scheme for scheme, known in _SCHEMES.items() if prefixes <= set(known)), "plain")


def to_iob2(tags: Sequence[str]) -> tuple[list[str], int]:
    """Make every chunk begin with B-, as the official conlleval reads it, and count the tags changed.

    >>> to_iob2(["I-PER", "I-PER", "O", "I-LOC", "B-LOC"])
    (['B-PER', 'I-PER', 'O', 'B-LOC', 'B-LOC'], 2)

    Args:
        tags: those of one sentence, in IOB1 or IOB2.
    """
    changed, made = 0, []
    before = "O"
    for tag in tags:
        prefix, kind = split_tag(tag)
        if prefix == "I" and (before == "O" or split_tag(before)[1] != kind):
            made.append(f"B-{kind}")
            changed += 1
        else:
            made.append(tag)
        before = tag
    return made, changed


def collect_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Return each tag once: O first, then by type, within a type B before I before the rest.

    >>> collect_tags(["I-PER", "O", "B-PER", "B-LOC"])
    ('O', 'B-LOC', 'B-PER', 'I-PER')
    """

    def place(tag: str) -> tuple[bool, str, int]:
        prefix, kind = split_tag(tag)
        return tag != "O", kind, _ORDER.find(prefix) if prefix else -1

    return tuple(sorted(set(tags), key=place))


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
                f'{where}: the tags "{other}" and "{label}" differ in capitals alone and would be two labels; '
                "spell them alike"
            )
