"""Tags as files spell them, against seqeval's reading of them."""

from __future__ import annotations

import random

import pytest

from albertkit.datasets.tags import (
    collect_tags,
    known_tag,
    require_distinct,
    require_one_scheme,
    spellings,
    to_iob2,
)
from albertkit.errors import DataError


def test_iob1_by_hand() -> None:
    # The example of Tjong Kim Sang and Veenstra (1999) in words of our own: two chunks of a type next to each other.
    assert to_iob2(["I-NP", "O", "I-NP", "B-NP", "I-NP", "I-VP"]) == (
        ["B-NP", "O", "B-NP", "B-NP", "I-NP", "B-VP"], 3,
    )  # fmt: skip
    assert to_iob2(["I", "I", "O", "B"]) == (["B", "I", "O", "B"], 1)
    assert to_iob2([]) == ([], 0)


def test_the_chunks_stay_the_same() -> None:
    sequence_labeling = pytest.importorskip("seqeval.metrics.sequence_labeling")
    from seqeval.scheme import IOB1, IOB2, Entities

    draw = random.Random(5)
    for _ in range(300):
        tags = [draw.choice(["O", "B-LOC", "I-LOC", "B-PER", "I-PER"]) for _ in range(draw.randint(1, 9))]
        made, changed = to_iob2(tags)
        # conlleval's reading of any sequence, and the strict reading of IOB2 of ours, name the same chunks.
        assert sequence_labeling.get_entities(made) == sequence_labeling.get_entities(tags)
        strict = [entity.to_tuple()[1:] for entity in Entities([made], IOB2).entities[0]]
        loose = [(kind, start, end + 1) for kind, start, end in sequence_labeling.get_entities(made)]
        assert sorted(strict) == sorted(loose)
        assert to_iob2(made) == (made, 0)
        assert changed == sum(before != after for before, after in zip(tags, made, strict=True))
    real = ["I-PER", "I-PER", "B-PER", "O", "I-LOC"]
    strict = [entity.to_tuple() for entity in Entities([to_iob2(real)[0]], IOB2).entities[0]]
    assert strict == [entity.to_tuple() for entity in Entities([real], IOB1).entities[0]]


@pytest.mark.parametrize(
    "tags, meant",
    [
        (["B_PER", "I_PER", "O"], ["B-PER", "I-PER", "O"]),
        (["PER-B", "PER-I", "o"], ["B-PER", "I-PER", "O"]),
        (["work-of-art_B", "O"], ["B-work-of-art", "O"]),
        (["B-PER", "o"], ["B-PER", "O"]),
        (["LOC", "PER", "o"], ["LOC", "PER", "O"]),
        (["B-hepatitis_B", "O"], ["B-hepatitis_B", "O"]),
        (["O", "hepatitis-B", "hepatitis-C"], ["O", "hepatitis-B", "hepatitis-C"]),  # types of IO
        (["O", "vitamin-E"], ["O", "vitamin-E"]),
        (["NN-B", "VB"], ["NN-B", "VB"]),
        (["N", "o"], ["N", "o"]),
    ],
)
def test_other_spellings_of_a_scheme(tags: list[str], meant: list[str]) -> None:
    found = spellings(tags)
    assert [found[tag] for tag in tags] == meant
    assert [known_tag(tag, labels=tuple(meant)) for tag in tags] == meant


def test_labels_in_a_fixed_order() -> None:
    tags = ["I-PER", "S-LOC", "E-LOC", "O", "B-LOC", "I-LOC", "B-PER", "B-LOC"]
    assert collect_tags(tags) == (
        "O", "B-LOC", "I-LOC", "E-LOC", "S-LOC", "B-PER", "I-PER", "E-PER", "S-PER",
    )  # fmt: skip
    assert collect_tags(["VB", "NN"]) == ("NN", "VB")
    assert collect_tags(["U-X"]) == ("O", "B-X", "I-X", "L-X", "U-X")
    assert collect_tags(["I"]) == ("O", "B", "I")
    assert collect_tags(["PER", "O", "LOC"]) == ("O", "LOC", "PER")
    assert collect_tags(["11", "0", "2"]) == ("0", "2", "11")


def test_a_clash_names_both() -> None:
    require_distinct(["O", "B-PER", "I-PER"], where="a.conll")
    with pytest.raises(DataError, match=r'a\.conll: the tags "B-PER" and "b-per" differ only in capital letters'):
        require_distinct(["O", "B-PER", "b-per"], where="a.conll")


@pytest.mark.parametrize(
    "tags", [["O", "B-PER", "MISC"], ["B-PER", "0"], ["O", "b-per", "i-per"], ["B-X", "U-X", "S-X"]]
)
def test_tags_of_no_scheme_are_refused(tags: list[str]) -> None:
    with pytest.raises(
        DataError, match=r"a\.conll: the tags \(.*\) do not follow one scheme; write all of them as O, B-"
    ):
        require_one_scheme(tags, where="a.conll")


def test_tags_of_one_scheme_pass() -> None:
    for tags in (["O", "B-X"], ["NOUN", "VERB"], ["O", "LOC"], ["O", "B-X", "L-X"], ["B", "I"]):
        require_one_scheme(tags, where="a.conll")
