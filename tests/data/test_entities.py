"""Entities of tags, equal to seqeval's; BILOU, which its default does not know, equal to its strict way."""

from __future__ import annotations

import random

import pytest
from seqeval.metrics.sequence_labeling import get_entities
from seqeval.scheme import BILOU, IOB2, IOBES, Entities

from albertkit.data.entities import find_entities, marks_entities, split_tag, tag_scheme
from albertkit.errors import DataError, UsageError


def random_tags(marks: str, *, seed: int, words: int = 401) -> list[str]:
    """Tags in no order at all, so that every wrong sequence comes up."""
    draw = random.Random(seed)
    return draw.choices(["O", *(f"{mark}-{type_}" for mark in marks for type_ in ("PER", "LOC", "A-B"))], k=words)


@pytest.mark.parametrize("marks", ["BI", "I", "BIES"])
@pytest.mark.parametrize("seed", range(5))
def test_loose_as_seqeval(marks: str, seed: int) -> None:
    tags = random_tags(marks, seed=seed)
    assert [tuple(entity) for entity in find_entities(tags)] == get_entities(tags)


@pytest.mark.parametrize("scheme, peer, marks", [("IOB2", IOB2, "BI"), ("IOBES", IOBES, "BIES")])
def test_strict_as_seqeval(scheme: str, peer: type, marks: str) -> None:
    tags = random_tags(marks, seed=11)
    (wanted,) = Entities([tags], peer).entities
    found = find_entities(tags, scheme=scheme)
    assert [(entity.type, entity.first, entity.last + 1) for entity in found] == [
        (entity.tag, entity.start, entity.end) for entity in wanted
    ]


def test_well_formed_bilou_is_read_as_seqeval_s_scheme_reads_it() -> None:
    draw = random.Random(3)
    tags: list[str] = []
    for _ in range(199):
        type_ = draw.choice(("PER", "LOC"))
        inner = [f"I-{type_}"] * draw.randint(0, 2)
        tags += draw.choice([["O"], [f"U-{type_}"], [f"B-{type_}", *inner, f"L-{type_}"]])
    (wanted,) = Entities([tags], BILOU).entities
    assert [(entity.type, entity.first, entity.last + 1) for entity in find_entities(tags)] == [
        (entity.tag, entity.start, entity.end) for entity in wanted
    ]


def test_what_tags_are() -> None:
    assert marks_entities(["O", "B", "L-x", "U-x"])
    assert not marks_entities(["NN", "VB"])
    assert find_entities([]) == []
    assert [entity.type for entity in find_entities(["B", "I"])] == ["_"]
    with pytest.raises(DataError, match='word 1: "X-PER" is not a tag of IOB or IOBES or BILOU'):
        find_entities(["O", "X-PER"])
    with pytest.raises(DataError, match='word 0: "L-PER" is not a tag of IOBES'):
        find_entities(["L-PER"], scheme="IOBES")
    with pytest.raises(UsageError, match='unknown scheme "BIO"; known: IOB2, IOBES'):
        find_entities(["O"], scheme="BIO")


@pytest.mark.parametrize(
    "tags, scheme",
    [
        (["O", "B-PER", "I-PER"], "IOB"),
        (["O", "I-PER"], "IOB"),
        (["O"], "IOB"),
        (["B", "I"], "IOB"),
        (["O", "B-PER", "I-PER", "E-PER", "S-PER"], "BIOES"),
        (["O", "U-PER", "L-PER", "B-PER"], "BILOU"),
        (["O", "PER", "LOC"], "IO"),
        (["O", "PER", "E-MAIL"], "IO"),
        (["NOUN", "VERB"], "plain"),
        (["O", "N", "V", "^", ","], "plain"),  # an O among parts of speech: Gimpel et al. (2011), pronouns
        (["B-PER", "PER"], "plain"),
        (["O", "B-PER", "PER"], "plain"),
        (["S-PER", "U-PER"], "plain"),
        (["0", "3", "4"], "plain"),
    ],
)
def test_the_scheme(tags: list[str], scheme: str) -> None:
    assert tag_scheme(tags) == scheme
    assert marks_entities(tags) == (scheme != "plain")


def test_split_tag() -> None:
    assert split_tag("B-work-of-art") == ("B", "work-of-art")
    assert split_tag("I") == ("I", "")
    assert [split_tag(tag) for tag in ("B-", "X-PER", "O")] == [("", "B-"), ("", "X-PER"), ("", "O")]


def test_io_is_conllevals_reading_of_i() -> None:
    """A run of words with one tag is what seqeval's default makes of I- and that tag."""
    draw = random.Random(11)
    for _ in range(97):
        tags = [draw.choice(["O", "PER", "LOC", "E-MAIL"]) for _ in range(draw.randint(1, 13))]
        wanted = get_entities([tag if tag == "O" else f"I-{tag}" for tag in tags])
        found = [(entity.type, entity.first, entity.last) for entity in find_entities(tags, scheme="IO")]
        assert found == wanted
