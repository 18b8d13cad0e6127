"""Tag schemes, against seqeval's reading of them."""

from __future__ import annotations

import random

import pytest

from albertkit.datasets.tags import collect_tags, require_distinct, split_tag, tag_scheme, to_iob2
from albertkit.errors import DataError


@pytest.mark.parametrize(
    "tags, scheme",
    [
        (["O", "B-PER", "I-PER"], "IOB"),
        (["O", "I-PER"], "IOB"),
        (["O"], "IOB"),
        (["O", "B-PER", "I-PER", "E-PER", "S-PER"], "BIOES"),
        (["O", "U-PER", "L-PER", "B-PER"], "BILOU"),
        (["NN", "VB", "O"], "plain"),
        (["B-PER", "PER"], "plain"),
        (["S-PER", "U-PER"], "plain"),
    ],
)
def test_the_scheme(tags: list[str], scheme: str) -> None:
    assert tag_scheme(tags) == scheme


def test_split_tag() -> None:
    assert split_tag("B-work-of-art") == ("B", "work-of-art")
    assert [split_tag(tag) for tag in ("B-", "X-PER", "I")] == [("", "B-"), ("", "X-PER"), ("", "I")]


def test_iob1_by_hand() -> None:
    # The example of Tjong Kim Sang and Veenstra (1999) in words of our own: two chunks of a type beside each other.
    assert to_iob2(["I-NP", "O", "I-NP", "B-NP", "I-NP", "I-VP"]) == (
        ["B-NP", "O", "B-NP", "B-NP", "I-NP", "B-VP"], 3,
    )  # fmt: skip
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


def test_labels_in_a_fixed_order() -> None:
    tags = ["I-PER", "S-LOC", "E-LOC", "O", "B-LOC", "I-LOC", "B-PER", "B-LOC"]
    assert collect_tags(tags) == ("O", "B-LOC", "I-LOC", "E-LOC", "S-LOC", "B-PER", "I-PER")
    assert collect_tags(["VB", "NN"]) == ("NN", "VB")


def test_a_clash_names_both() -> None:
    require_distinct(["O", "B-PER", "I-PER"], where="a.conll")
    with pytest.raises(DataError, match=r'a\.conll: the tags "B-PER" and "b-per" differ in capitals alone'):
        require_distinct(["O", "B-PER", "b-per"], where="a.conll")
