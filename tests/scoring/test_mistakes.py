"""The examples that a report shows as wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from albertkit.data.examples import Answer, ChoiceExample, SpanExample, TextExample, TokenExample
from albertkit.scoring.mistakes import LONGEST, MOST, Mistake, worst
from albertkit.tasks.classification import CLASSIFICATION, MULTILABEL, REGRESSION, ClassificationTask
from albertkit.tasks.multiple_choice import MULTIPLE_CHOICE
from albertkit.tasks.question_answering import QUESTION_ANSWERING
from albertkit.tasks.similarity import SIMILARITY
from albertkit.tasks.token_classification import TOKEN_CLASSIFICATION


def of_logits(task: ClassificationTask, logits: Any, examples: list[TextExample], metric: str) -> Any:
    labels = () if task.name == "regression" else ("no", "yes")
    targets = task.targets(examples, num_labels=2)
    rows = np.array(logits, np.float32)
    return task.score_logits(rows, targets=targets, labels=labels, metrics=(metric,), examples=examples).mistakes


def test_the_worst_come_first_and_long_texts_are_cut() -> None:
    found = worst((number, Mistake(str(number), "x" * 1000, "", "")) for number in range(100))
    assert [one.example for one in found] == [str(number) for number in range(99, 99 - MOST, -1)]
    assert found[0].text == "x" * LONGEST + " [...]"


def test_wrong_labels_by_their_probability() -> None:
    examples = [TextExample(f"t{label}", label=label, id=f"i{number}") for number, label in enumerate((0, 0, 1))]
    found = of_logits(CLASSIFICATION, [[0, 1], [0, 3], [0, 9]], examples, "accuracy")
    assert [(one.example, one.expected, one.predicted) for one in found] == [("i1", "no", "yes"), ("i0", "no", "yes")]
    assert found[0].probability == pytest.approx(1 / (1 + np.exp(-3)), rel=1e-6)


def test_numbers_by_their_distance_and_several_labels_by_the_surest_wrong_one() -> None:
    numbers = [TextExample("a", label=1.0), TextExample("b", label=5.0)]
    found = of_logits(REGRESSION, [[1.5], [1.0]], numbers, "pearson")
    assert [(one.example, one.expected, one.predicted) for one in found] == [("1", "5", "1"), ("0", "1", "1.5")]
    several = [TextExample("a", label=(0,)), TextExample("b", label=()), TextExample("c", label=(1,))]
    found = of_logits(MULTILABEL, [[-1, -1], [-1, 4], [-9, 9]], several, "f1")
    assert [(one.text, one.expected, one.predicted) for one in found] == [("b", "(none)", "yes"), ("a", "no", "(none)")]


def test_tags_list_the_words_that_are_wrong() -> None:
    examples = [
        TokenExample("Ada in Rome", ((0, 3), (4, 6), (7, 11)), (1, 0, 1)),
        TokenExample("Ada", ((0, 3),), (1,)),
        TokenExample("so", ((0, 2),), (0,)),
    ]
    rows = [{"tags": ["O", "O", "O"]}, {"tags": ["O"]}, {"tags": ["O"]}]
    found = TOKEN_CLASSIFICATION.mistakes(rows, examples, labels=("O", "B-X"))
    assert [(one.example, one.expected, one.predicted) for one in found] == [
        ("0", "Ada B-X, Rome B-X", "Ada O, Rome O"),
        ("1", "Ada B-X", "Ada O"),
    ]


def test_answers_that_share_no_word_with_a_right_one() -> None:
    examples = [
        SpanExample("Who?", "Ada and Bo", (Answer("Ada", 0),), id="a"),
        SpanExample("Why?", "Ada and Bo", (), id="b"),
        SpanExample("When?", "in May", (Answer("May", 3), Answer("in May", 0)), id="c"),
        SpanExample("What?", "Ada and Bo", (Answer("Ada and Bo", 0),), id="d"),
    ]
    rows: list[dict[str, Any]] = [
        {"answer": "Bo", "probability": 0.3},
        {"answer": "Bo", "probability": 0.9},
        {"answer": "May", "probability": 0.9},
        {"answer": ""},
    ]
    found = QUESTION_ANSWERING.mistakes(rows, examples)
    assert [(one.example, one.expected, one.predicted) for one in found] == [
        ("b", "(no answer)", "Bo"),
        ("a", "Ada", "Bo"),
        ("d", "Ada and Bo", "(no answer)"),
    ]


def test_options_by_their_probability() -> None:
    examples = [ChoiceExample("c", "q", ("x", "y"), label) for label in (0, 1)]
    rows = [{"choice": 1, "option": "y", "probabilities": [0.2, 0.8]}] * 2
    (one,) = MULTIPLE_CHOICE.mistakes(rows, examples)
    assert one == Mistake("0", "q", "x", "y", "c", 0.8)


def test_pairs_that_are_far_from_their_place() -> None:
    scores, cosines = (0.0, 1.0, 2.0, 3.0), (0.9, 0.2, 0.3, 0.4)
    examples = [TextExample(f"t{score}", "p", score) for score in scores]
    found = SIMILARITY.mistakes([{"similarity": cosine} for cosine in cosines], examples)
    assert found[0].expected == "0 (above 0% of the pairs)"
    assert found[0].predicted == "cosine 0.900 (above 75%)"
    together = [TextExample("a", "b", 1.0), TextExample("c", "d", 1.0)]
    found = SIMILARITY.mistakes([{"similarity": 0.1, "rank": 2}, {"similarity": 0.2, "rank": 1}], together)
    assert found == (Mistake("0", "a", "nearest of all", "place 2", "b"),)


def test_of_many_wrong_tags_the_first_are_listed() -> None:
    words = tuple((2 * number, 2 * number + 1) for number in range(12))
    (one,) = TOKEN_CLASSIFICATION.mistakes(
        [{"tags": ["O"] * 12}], [TokenExample("a " * 12, words, (1,) * 12)], labels=("O", "B-X")
    )
    assert one.predicted == ", ".join(["a O"] * 10) + " and 2 more"
