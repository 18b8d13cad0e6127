"""Which texts a distillation reads: files, cuts, repetitions, empty ones."""

from __future__ import annotations

import numpy as np
import pytest

from albertkit.datasets.text_rows import Row
from albertkit.errors import DataError
from albertkit.text.tokenizer import Tokenizer
from albertkit.training.distillation.texts import Texts, prepare_texts

TOKENIZER = Tokenizer.official()


def prepared(*texts: str, max_length: int = 16, by_sentence: bool = False, whole: bool = False) -> Texts:
    rows = [Row(text, f"t.txt, line {number}") for number, text in enumerate(texts, 1)]
    return prepare_texts(rows, TOKENIZER, max_length=max_length, by_sentence=by_sentence, whole=whole, seed=3)


def test_a_short_text_stays_and_its_sentences_are_found() -> None:
    found = prepared("A film.  It was good.")
    assert found.texts == ["A film.  It was good."]
    assert found.tokens[0].tolist() == TOKENIZER.ids_of(["A film. It was good."])[0]
    assert found.ends == [(len(TOKENIZER.ids_of(["A film."])[0]),)]
    assert found.lengths.tolist() == [len(found.tokens[0]) + 2]


def test_long_texts_are_cut_between_sentences_and_words() -> None:
    text = "The film was good. The plot was bad. " + " ".join(f"Word {number}" for number in range(15)) + "."
    found = prepared(text)
    assert found.texts[0] == "The film was good. The plot was bad."
    assert " ".join(found.texts).split() == text.split()  # nothing is lost
    assert max(len(tokens) for tokens in found.tokens) <= 13
    assert found.rows.tolist() == [0] * len(found)
    assert found.notes == ("1 texts are longer than 16 tokens and were cut into several", *found.notes[1:])


def test_runs_of_sentences_have_many_lengths() -> None:
    text = " ".join(f"The film of {number} was good." for number in "one two three four five six seven eight".split())
    found = prepared(*(f"{text} Number {number}." for number in range(9)), max_length=64, by_sentence=True)
    assert len({text.count(".") for text in found.texts}) > 2
    assert any("are used once" in note for note in found.notes)
    again = prepared(*(f"{text} Number {number}." for number in range(9)), max_length=64, by_sentence=True)
    assert again.texts == found.texts


def test_given_vectors_keep_texts_whole() -> None:
    found = prepared(" ".join(["film"] * 40), "x", " ".join(["film"] * 40), whole=True)
    assert found.rows.tolist() == [0, 1]
    assert len(found.tokens[0]) == 13
    assert found.notes == (
        "2 texts are longer than 16 tokens and were truncated",
        "1 texts are duplicates and are used once",
    )


@pytest.mark.parametrize("text", ["", "  ", "\u0001"])
def test_empty_texts_are_named(text: str) -> None:
    with pytest.raises(DataError, match=r"t\.txt, line 2: the text is empty, or holds no character"):
        prepared("a", text)


def test_no_texts_are_refused() -> None:
    with pytest.raises(DataError, match="there is no text to distil from"):
        prepared()


def test_some_of_the_texts() -> None:
    taken = prepared("a", "b", "c").take(np.array([2, 0]))
    assert (taken.texts, taken.rows.tolist()) == (["c", "a"], [2, 0])
    assert taken.digest() != prepared("a", "c").digest()
