"""Scores of pairs for reranking: they are the task's own predictions."""

from __future__ import annotations

import pytest
from tests.serving.asking import predictor_of

from albertkit.errors import UsageError
from albertkit.inference.reranking import pair_scores

TEXTS = ["a splendid film", "dreadful", "a"]


@pytest.mark.parametrize(("task", "label"), [("regression", None), ("similarity", None), ("classification", "so so")])
def test_the_score_is_the_models_own(task: str, label: str | None) -> None:
    predictor = predictor_of(task)
    rows = predictor.predict([("one film", text) for text in TEXTS])
    wanted = [row["value"] if "value" in row else row.get("similarity") for row in rows]
    wanted = [row["probabilities"][label] for row in rows] if label else wanted
    assert pair_scores(predictor, "one film", TEXTS, label=label) == wanted
    assert pair_scores(predictor, "one film", [], label=label) == []


@pytest.mark.parametrize(
    ("task", "label", "words"),
    [
        ("pretrained", None, "has no task head and cannot rerank"),
        ("token_classification", None, "has the task token_classification and cannot rerank"),
        ("regression", "good", "has no labels .* leave the label good out"),
        (
            "classification",
            None,
            "has the labels good, bad, so so; say with --rerank-label which one means that a text fits",
        ),
        ("classification", "goood", 'but not "goood"; did you mean "good"'),
    ],
)
def test_refusals(task: str, label: str | None, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        pair_scores(predictor_of(task), "a", ["b"], label=label)
