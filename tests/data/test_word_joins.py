"""Raw text split as training words were: treebanks, blanks only, marks only; and the published CoNLL++."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from albertkit.data.word_joins import WordJoins, learn_joins
from albertkit.data.words import split_words
from albertkit.datasets import load_dataset
from albertkit.errors import UsageError

TREEBANK = [
    "The U.S. does n't say '' no '' , Mr. Wu 's 30-year-old co-driver Jean-Luc O'Brien said .".split(),
    "Mr. J. Smith 's share rose 2.5 % to $ 1,000 at 10:30 .".split(),
    "1. Finland won 3-1 ; in 1996 , she could n't have .".split(),
    "I 'm here , he works .".split(),
    "It ended in 1997 . -".split(),
]


def words(text: str, joins: WordJoins) -> list[str]:
    return [text[start:end] for start, end in joins.split(text)]


def test_a_treebanks_words() -> None:
    joins = learn_joins(TREEBANK)
    assert words("He wouldn't: the U.K.'s Dr. A. Li (51-year-old) paid $2,500.", joins) == [
        "He", "would", "n't", ":", "the", "U.K.", "'s", "Dr", ".", "A.", "Li", "(", "51-year-old", ")",
        "paid", "$", "2,500", ".",
    ]  # fmt: skip
    assert words("2. Mr. Mo works. In 1998.", joins) == ["2.", "Mr.", "Mo", "works", ".", "In", "1998", "."]
    assert words("It\u2019s 3.5%, I'm told", joins) == ["It", "\u2019s", "3.5", "%", ",", "I", "'m", "told"]


def test_the_given_words_come_back() -> None:
    joins = learn_joins(TREEBANK)
    for given in TREEBANK:
        assert words(" ".join(given), joins) == given


def test_words_between_blanks() -> None:
    given = ["Rome,", "U.S.", "is", "big.", "(Really!)", "don't", "10%"]
    joins = learn_joins([given] * 3)
    assert words("Oslo, U.K. isn't dull. (Indeed!) 20%", joins) == [
        "Oslo,", "U.K.", "isn't", "dull.", "(Indeed!)", "20%",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "given",
    [
        ["Ada", "'", "s", "U", ".", "S", ".", "x", "-", "ray", "!"],  # every mark by itself, as split_words
        ["\u4e2d\u6587", "\u6587", "."],  # a Chinese word says nothing of how to find another
        ["New York", "is"],
        [],
    ],
)
def test_nothing_to_learn(given: list[str]) -> None:
    assert learn_joins([given]) == WordJoins(frozenset(), frozenset())


def test_hyphens_that_are_words_stay_apart() -> None:
    joins = learn_joins(["Jean - Luc 's co - driver ran a 10 - year - old 's car .".split()] * 2)
    assert words("A five-year-old's", joins) == ["A", "five", "-", "year", "-", "old", "'s"]


def test_every_character_but_blanks_is_in_one_word() -> None:
    joins = learn_joins(TREEBANK)
    text = "".join(map(chr, [*range(0x20, 0x3000), *range(0x1F300, 0x1F400)])) + "can't U.S." * 9 + "." * 99
    inside = "".join(words(text, joins))
    assert inside == "".join(character for character in text if not character.isspace())


def test_through_json() -> None:
    joins = learn_joins(TREEBANK)
    assert WordJoins.from_lists(json.loads(json.dumps(joins.to_lists()))) == joins
    for values in (None, 3, {}, {"shapes": [], "words": []}, {"shapes": [1], "words": [], "parted": []}):
        with pytest.raises(UsageError, match="word_joins must have the lists shapes, words, parted, of texts"):
            WordJoins.from_lists(values)


def natural(given: list[str]) -> tuple[str, list[tuple[int, int]]]:
    """The words as a newspaper prints them, and the span of each: no blanks before marks, none inside quotes."""
    text, spans, glued, quoted = "", [], True, False
    for word in given:
        glue, glued = glued, word in {"(", "[", "$", "US$"}
        if word in set(".,;:!?%)]") | {"..."} or word.lower() in {"'s", "n't", "'re", "'ve", "'ll", "'d", "'m"}:
            glue = True
        elif word == '"':
            glue, glued, quoted = quoted, not quoted, not quoted
        elif word == "'" and text[-1:].lower() == "s":
            glue = True
        text += "" if glue else " "
        spans.append((len(text), len(text) + len(word)))
        text += word
    return text, spans


@pytest.mark.slow
def test_published_words_from_natural_text(shared: Path, tmp_path: Path) -> None:
    with tarfile.open(shared / "data" / "topics_ner_more.tar.xz") as archive:
        archive.extractall(tmp_path, members=[m for m in archive if "ner_conllpp/" in m.name], filter="data")
    splits = {name: load_dataset("ner", split=name, data_dir=tmp_path / "ner_conllpp") for name in ("train", "test")}
    texts = {name: [[row.text[start:end] for start, end in row.words] for row in data] for name, data in splits.items()}
    joins = learn_joins(texts["train"])
    shares = []
    for split in (split_words, joins.split):
        found = total = 0
        for given in texts["test"]:
            text, spans = natural(given)
            found += len(set(spans) & set(split(text)))
            total += len(spans)
        shares.append(found / total)
    assert shares[0] < 0.95  # pieces, as before
    assert shares[1] > 0.995
