"""Answers from scores: the official rules, written out as plain loops here, and characters that always fit."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from albertkit.data.examples import SpanExample
from albertkit.tasks.encoded import Encoded
from albertkit.tasks.question_answering import (
    QUESTION_ANSWERING,
    QUESTION_ANSWERING_NULL,
    QUESTION_ANSWERING_V2,
    QuestionAnsweringTask,
)
from albertkit.text.tokenizer import Tokenizer

CONTEXT = "The red house of Ann stands near the old mill. " * 6 + "Caf\u00e9 \u00bd Ole\u0301 is new."
EXAMPLES = [
    SpanExample("Where?", CONTEXT),
    SpanExample("What colour is the house?", "It is red."),
    SpanExample("Who owns the old mill?", CONTEXT[20:300]),
]


@pytest.fixture(scope="module")
def encoded() -> Encoded:
    return QUESTION_ANSWERING.encode(Tokenizer.official(), EXAMPLES, max_length=50)


def random_outputs(encoded: Encoded, width: int, *, seed: int) -> list[np.ndarray]:
    random = np.random.RandomState(seed)
    return [random.normal(size=(len(sequence), width)).astype(np.float32) * 3 for sequence in encoded.sequences]


def best_indexes(logits: list[float], count: int) -> list[int]:
    return [index for index, _ in sorted(enumerate(logits), key=lambda pair: pair[1], reverse=True)][:count]


def official_answers(encoded: Encoded, outputs: list[np.ndarray], number: int, pairs_of) -> list[tuple[str, float]]:  # type: ignore[no-untyped-def]
    """(text, score) of one question, best first: the loops of write_predictions with these windows."""
    found: list[tuple[str, float]] = []
    for unit in np.flatnonzero(encoded.example_ids == number):
        window = encoded.details[unit]
        for start, end, score in pairs_of(outputs[unit].astype(float)):
            start, end = start - window.first_row, end - window.first_row
            if start < 0 or start >= len(window) or end >= len(window) or not window.max_context[start]:
                continue
            if end < start or end - start + 1 > 30:
                continue
            text = EXAMPLES[number].context[window.starts[start] : window.ends[end]].strip()
            if text:
                found.append((text, score))
    best: list[tuple[str, float]] = []
    for text, score in sorted(found, key=lambda pair: pair[1], reverse=True):
        if len(best) < 20 and text not in [other for other, _ in best]:
            best.append((text, score))
    return best


def span_pairs(rows: np.ndarray) -> list[tuple[int, int, float]]:
    starts, ends = best_indexes(list(rows[:, 0]), 20), best_indexes(list(rows[:, 1]), 20)
    return [(start, end, rows[start, 0] + rows[end, 1]) for start in starts for end in ends]


def log_softmax(values: np.ndarray) -> list[float]:
    total = math.log(sum(math.exp(value) for value in values))
    return [value - total for value in values]


def beam_pairs(rows: np.ndarray) -> list[tuple[int, int, float]]:
    starts = log_softmax(rows[:, 0])
    pairs = []
    for beam, start in enumerate(best_indexes(starts, 5)):
        ends = log_softmax(rows[:, 1 + beam])
        pairs += [(start, end, starts[start] + ends[end]) for end in best_indexes(ends, 5)]
    return pairs


@pytest.mark.parametrize("seed", range(6))
def test_a_span_head_is_read_as_the_official_script_does(encoded: Encoded, seed: int) -> None:
    outputs = random_outputs(encoded, 2, seed=seed)
    for task in (QUESTION_ANSWERING, QUESTION_ANSWERING_NULL):
        for number, got in enumerate(task.predictions(outputs, encoded, EXAMPLES, labels=())):
            wanted = official_answers(encoded, outputs, number, span_pairs)
            null = min(float(outputs[unit][0].sum()) for unit in np.flatnonzero(encoded.example_ids == number))
            assert got["no_answer_odds"] == pytest.approx(null - wanted[0][1], abs=1e-5)
            competing = task is QUESTION_ANSWERING_NULL
            scores = [score for _, score in wanted] + ([null] if competing else [])
            total = sum(math.exp(score) for score in scores)
            if competing and null > wanted[0][1]:
                assert (got["answer"], got["start"], got["end"]) == ("", 0, 0)
                assert got["probability"] == pytest.approx(math.exp(null) / total, abs=1e-5)
            else:
                assert got["answer"] == wanted[0][0]
                assert got["probability"] == pytest.approx(math.exp(wanted[0][1]) / total, abs=1e-5)
            shown = [one["answer"] for one in got["n_best"]]
            assert len(shown) == 5
            assert [text for text in shown if text] == [text for text, _ in wanted[: 5 - shown.count("")]]


@pytest.mark.parametrize("seed", range(6))
def test_an_answer_head_is_read_as_the_official_script_does(encoded: Encoded, seed: int) -> None:
    outputs = random_outputs(encoded, 7, seed=seed)
    for row in outputs:
        row[:, 6] = row[0, 6]
    for number, got in enumerate(QUESTION_ANSWERING_V2.predictions(outputs, encoded, EXAMPLES, labels=())):
        wanted = official_answers(encoded, outputs, number, beam_pairs)
        odds = min(float(outputs[unit][0, 6]) for unit in np.flatnonzero(encoded.example_ids == number))
        assert got["no_answer_odds"] == pytest.approx(odds)
        if wanted:
            none = 1 / (1 + math.exp(-odds))
            total = sum(math.exp(score) for _, score in wanted)
            share = none if odds > 0 else (1 - none) * math.exp(wanted[0][1]) / total
            assert got["answer"] == ("" if odds > 0 else wanted[0][0])
            assert got["probability"] == pytest.approx(share, abs=1e-5)


@pytest.mark.parametrize("width", [2, 7])
def test_characters_are_those_of_the_context_and_all_can_be_written(encoded: Encoded, width: int) -> None:
    task = {2: QUESTION_ANSWERING_NULL, 7: QUESTION_ANSWERING_V2}[width]
    for seed in range(20):
        rows = task.predictions(random_outputs(encoded, width, seed=seed), encoded, EXAMPLES, labels=())
        assert len(rows) == len(EXAMPLES)
        json.loads(json.dumps(rows, allow_nan=False))
        for example, row in zip(EXAMPLES, rows, strict=True):
            probabilities = [one["probability"] for one in row["n_best"]]
            assert sorted(probabilities, reverse=True) == probabilities
            assert 0 < len(probabilities) <= 5
            assert sum(probabilities) <= 1 + 1e-9
            for one in (row, *row["n_best"]):
                assert example.context[one["start"] : one["end"]] == one["answer"] == one["answer"].strip()


def test_the_threshold_decides(encoded: Encoded) -> None:
    outputs = random_outputs(encoded, 2, seed=1)
    odds = [row["no_answer_odds"] for row in QUESTION_ANSWERING.predictions(outputs, encoded, EXAMPLES, labels=())]
    for change, empty in [(1e-6, False), (-1e-6, True)]:
        rows = QUESTION_ANSWERING.predictions(outputs, encoded, EXAMPLES, labels=(), null_threshold=odds[0] + change)
        assert (rows[0]["answer"] == "") == empty
    assert all(row["answer"] for row in QUESTION_ANSWERING.predictions(outputs, encoded, EXAMPLES, labels=()))


def test_version_1_has_words_whatever_the_scores_say(encoded: Encoded) -> None:
    for sign in (1, -1):  # the best starts are all in the question, or all ends are before all starts
        outputs = [np.zeros((len(sequence), 2), np.float32) for sequence in encoded.sequences]
        for rows in outputs:
            rows[:, 0], rows[:, 1] = sign * -np.arange(len(rows)), sign * np.arange(len(rows))
            if sign < 0:
                rows[:, 0], rows[:, 1] = np.arange(len(rows)) * 9, -np.arange(len(rows)) * 9
        assert all(row["answer"] for row in QUESTION_ANSWERING.predictions(outputs, encoded, EXAMPLES, labels=()))


@pytest.mark.parametrize("context", ["", "  \n"])
@pytest.mark.parametrize("task", [QUESTION_ANSWERING, QUESTION_ANSWERING_NULL, QUESTION_ANSWERING_V2])
def test_a_context_without_a_word_has_no_answer(context: str, task: QuestionAnsweringTask) -> None:
    examples = [SpanExample("Where?", context)]
    encoded = task.encode(Tokenizer.official(), examples, max_length=64)
    outputs = random_outputs(encoded, task.num_outputs(()), seed=1)
    (row,) = task.predictions(outputs, encoded, examples, labels=())
    assert (row["answer"], row["start"], row["end"], row["probability"]) == ("", 0, 0, 1.0)
    json.dumps(row, allow_nan=False)


def test_no_questions_no_answers() -> None:
    encoded = QUESTION_ANSWERING.encode(Tokenizer.official(), [], max_length=64)
    assert QUESTION_ANSWERING.predictions([], encoded, [], labels=()) == []
