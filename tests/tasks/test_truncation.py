"""Counts of texts that were longer than the model reads."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from albertkit.batching.batch import Sequence
from albertkit.tasks import TASKS
from albertkit.tasks.classification import CLASSIFICATION
from albertkit.tasks.encoded import Encoded
from albertkit.tasks.truncation import Truncation
from albertkit.text.tokenizer import Tokenizer

TEXTS = ["a b c", "a b c f g h a b", "a", "a b c f g h"]
"""3, 8, 1 and 6 letters, each a token."""


def test_texts_and_their_longest() -> None:
    rows = Tokenizer.official().sequences(TEXTS, max_length=6)
    found = Truncation.of(Encoded.one_each(rows), max_length=6)
    assert found == Truncation(examples=4, truncated=2, unread=4 + 2, longest=8 + 2, max_length=6)
    assert found.note() == "2 of 4 texts exceed 6 tokens (longest 10) and were truncated"
    assert found.note(CLASSIFICATION) == found.note()
    assert Truncation.from_dict(found.to_dict()) == found
    assert Truncation.from_dict({}) == Truncation()


def test_the_sum_over_pieces_is_the_count_of_all() -> None:
    tokenizer = Tokenizer.official()
    parts = [Truncation.of(Encoded.one_each(tokenizer.sequences([text], max_length=6)), max_length=6) for text in TEXTS]
    everything = Truncation.of(Encoded.one_each(tokenizer.sequences(TEXTS, max_length=6)), max_length=6)
    assert sum(parts, Truncation()) == everything
    assert Truncation.of(Encoded.one_each([]), max_length=6).note() is None
    assert Truncation.of(Encoded.one_each(tokenizer.sequences(TEXTS)), max_length=512).note() is None


def test_an_example_of_several_sequences_counts_once() -> None:
    rows = [Sequence(np.arange(5), np.zeros(5, int), truncated=cut) for cut in (2, 0, 7, 0, 0)]
    encoded = Encoded(rows, counts=np.array([3, 2]), example_ids=np.array([0, 1]))
    found = Truncation.of(encoded, max_length=5)
    assert (found.examples, found.truncated, found.longest) == (2, 1, 12)


@pytest.mark.parametrize(
    ("task", "words"),
    [
        (TASKS["question_answering"], "1 of 4 questions left no room for a context and were truncated"),
        (replace(CLASSIFICATION, window_stride=2, max_windows=3),
         "1 of 4 texts are longer than 3 windows; on average 9 tokens per text were not read"),
    ],
    ids=["questions", "windows"],
)  # fmt: skip
def test_tasks_that_read_long_texts_otherwise(task: object, words: str) -> None:
    assert Truncation(4, 1, 9, 12, 5).note(task) == words  # type: ignore[arg-type]
