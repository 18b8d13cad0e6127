"""The threshold on the odds of no answer: the best there is on the questions that it is tuned on."""

from __future__ import annotations

import numpy as np
import pytest

from albertkit.data.examples import Answer, SpanExample
from albertkit.errors import UsageError
from albertkit.tasks import TASKS
from albertkit.tasks.question_answering import (
    QUESTION_ANSWERING,
    QUESTION_ANSWERING_NULL,
    QuestionAnsweringTask,
    with_null_threshold,
)
from albertkit.tasks.question_answering.decode import best_words
from albertkit.tasks.question_answering.metrics import best_null_threshold, span_scores
from albertkit.text.tokenizer import Tokenizer


def questions(answerable: list[bool]) -> list[SpanExample]:
    return [
        SpanExample("?", "red house", (Answer("red house", 0),) if has else (), str(number))
        for number, has in enumerate(answerable)
    ]


def f1_at(examples: list[SpanExample], words: dict[str, str], odds: dict[str, float], threshold: float) -> float:
    given = {key: "" if odds[key] > threshold else text for key, text in words.items()}
    return span_scores(examples, predictions=given, version="2.0").metrics["f1"]


@pytest.mark.parametrize("seed", range(8))
def test_no_threshold_is_better_and_the_official_best_is_reached(seed: int) -> None:
    random = np.random.RandomState(seed)
    examples = questions((random.rand(40) < 0.5).tolist())
    words = {example.id or "": str(random.choice(["red house", "red", "blue"])) for example in examples}
    odds = {key: round(float(random.randn()), 1) for key in words}  # rounded, so that some are equal
    threshold = best_null_threshold(examples, predictions=words, null_odds=odds)
    reached = f1_at(examples, words, odds, threshold)
    tried = [f1_at(examples, words, odds, one) for one in np.arange(-4, 4, 0.05)]
    assert reached == pytest.approx(max(tried))
    official = span_scores(examples, predictions=words, version="2.0", null_odds=odds).metrics["best_f1"]
    assert reached <= official + 1e-9  # which may part questions with equal odds


def test_it_lies_between_the_odds() -> None:
    asked = questions([True, False])
    words = {"0": "red house", "1": "red house"}
    for odds, threshold in (
        ({"0": -1.0, "1": 0.5}, -0.25),
        ({"0": -1.0, "1": 9.0}, 0.0),  # at most 1 above
        ({"0": 2.0, "1": 1.0}, 0.0),  # no answer at all is as good: below all odds
    ):
        assert best_null_threshold(asked, predictions=words, null_odds=odds) == threshold
    assert best_null_threshold(questions([True]), predictions=words, null_odds={"0": 3.0}) == 4.0


def test_a_task_is_tuned_on_its_outputs() -> None:
    tokenizer = Tokenizer.official()
    examples = questions([True, True, False, False])
    task = QUESTION_ANSWERING_NULL
    encoded = task.encode(tokenizer, examples, max_length=32)
    outputs = []
    for sequence, window, null in zip(encoded.sequences, encoded.details, (1.0, 2.0, 4.0, 5.0), strict=True):
        row = np.zeros((len(sequence), 2), np.float32)
        row[0] = null
        row[window.first_row, 0] = row[window.first_row + len(window) - 1, 1] = 1.0
        outputs.append(row)  # odds: 2 * null - 2
    tuned = task.tuned(outputs, encoded, examples)
    assert isinstance(tuned, QuestionAnsweringTask)
    assert tuned.null_threshold == 3.0  # of 0, 2 | 6, 8: one above 2
    answers = [row["answer"] for row in tuned.predictions(outputs, encoded, examples, labels=())]
    assert answers == ["red house", "red house", "", ""]
    assert tuned.setting_notes() == ("a question counts as unanswerable if the log odds of that exceed 3",)
    # nothing to tune
    assert QUESTION_ANSWERING.tuned(outputs, encoded, examples) is QUESTION_ANSWERING
    assert task.tuned(outputs[:2], encoded, examples[:2]) is task
    assert QUESTION_ANSWERING.setting_notes() == TASKS["classification"].setting_notes() == ()


def test_a_threshold_of_the_user_s() -> None:
    task = with_null_threshold(QUESTION_ANSWERING_NULL, 1.5)
    assert isinstance(task, QuestionAnsweringTask)
    assert task.null_threshold == 1.5
    with pytest.raises(UsageError, match="works only for question answering, but this is a classification model"):
        with_null_threshold(TASKS["classification"], 1.5)
    with pytest.raises(UsageError, match="null_threshold is nan"):
        with_null_threshold(QUESTION_ANSWERING_NULL, float("nan"))
    assert best_words({"answer": "", "n_best": [{"answer": ""}]}) == ""
