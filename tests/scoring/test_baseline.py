"""Baselines: by hand, against a scikit-learn pipeline, and on data that is too small or of one class."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from albertkit.errors import DataError
from albertkit.evaluation.typed_json import from_json, to_json
from albertkit.scoring.baseline import Baseline, majority_baseline, tfidf_baseline

GOOD = ["a fine film", "a fine and warm story", "fine acting all along", "warm and fine"]
BAD = ["a dull film", "a dull and cold story", "dull acting all along", "cold and dull"]


def test_majority_by_hand() -> None:
    found = majority_baseline(
        [0, 2, 2, 1], test_labels=[2, 0, 2], task="classification", metrics=["accuracy", "mcc"], num_labels=3
    )
    assert found.name == "majority"
    assert found.metrics == {"accuracy": pytest.approx(200 / 3), "mcc": 0.0}
    assert found.seconds >= 0
    assert "every prediction is label 2" in found.notes[0]


def test_majority_of_numbers_and_of_label_sets() -> None:
    numbers = majority_baseline(
        [1.0, 3.0], test_labels=[1.0, 2.0], task="regression", metrics=["pearson"], num_labels=1
    )
    assert numbers.metrics == {"pearson": 0.0}
    assert "every prediction is 2" in numbers.notes[0]
    sets = majority_baseline(
        [[1, 0], [1, 0], [0, 1]], test_labels=[[1, 0], [1, 1]], task="multilabel", metrics=["f1"], num_labels=2
    )
    assert sets.metrics["f1"] == pytest.approx(100 * 2 * 2 / (2 * 2 + 1))


def test_words_that_tell_are_learned() -> None:
    found = tfidf_baseline(
        GOOD + BAD,
        train_labels=[1] * 4 + [0] * 4,
        test_texts=["fine music", "dull music"],
        test_labels=[1, 0],
        task="classification",
        metrics=["accuracy"],
        num_labels=2,
    )
    assert (found.name, found.metrics, found.notes) == ("tfidf_logistic_regression", {"accuracy": 100.0}, ())


def test_agrees_with_a_pipeline_of_scikit_learn() -> None:
    generator = np.random.default_rng(11)
    words = np.array([f"word{number}" for number in range(60)])
    labels = generator.integers(0, 3, 311)
    texts = [" ".join(generator.choice(words[label * 10 : label * 10 + 40], 12)) for label in labels]
    peer = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2), LogisticRegression(C=10.0, max_iter=1000)
    ).fit(texts[:200], labels[:200])
    found = tfidf_baseline(
        texts[:200],
        train_labels=labels[:200],
        test_texts=texts[200:],
        test_labels=labels[200:],
        task="classification",
        metrics=["accuracy"],
        num_labels=3,
    )
    assert found.metrics["accuracy"] == pytest.approx(100 * peer.score(texts[200:], labels[200:]), abs=1.0)


def test_pairs_regression_and_label_sets() -> None:
    pairs = [(text, "a fine film") for text in GOOD + BAD]
    for task, labels, metric in (
        ("classification", [1] * 4 + [0] * 4, "accuracy"),
        ("regression", [4.0, 5.0, 4.0, 5.0, 1.0, 2.0, 1.0, 2.0], "pearson"),
        ("multilabel", [[1, 0, 1]] * 4 + [[0, 1, 1]] * 4, "f1"),
    ):
        found = tfidf_baseline(
            pairs,
            train_labels=labels,
            test_texts=pairs,
            test_labels=labels,
            task=task,
            metrics=[metric],
            num_labels=3 if task == "multilabel" else 2,
        )
        assert found.metrics[metric] > 90
        assert found.name == ("tfidf_ridge" if task == "regression" else "tfidf_logistic_regression")


@pytest.mark.parametrize(
    "texts, labels, words",
    [
        (["one", "two three"], [0, 1], "no word occurs in two training texts"),
        (["only this"], [1], "every training label is the same"),
        (["? !", ""], [0, 1], "the training texts hold no words"),
        (["same words", "same words"], [1, 1], "every training label is the same"),
    ],
)
def test_tiny_data_scores_with_a_note(texts: list[str], labels: list[int], words: str) -> None:
    found = tfidf_baseline(
        texts,
        train_labels=labels,
        test_texts=["one", "unseen"],
        test_labels=[0, 1],
        task="classification",
        metrics=["accuracy"],
        num_labels=2,
    )
    assert 0 <= found.metrics["accuracy"] <= 100
    assert any(words in note for note in found.notes)


def test_bad_input_is_refused_before_the_work() -> None:
    common = {"task": "classification", "metrics": ["accuracy"], "num_labels": 2}
    with pytest.raises(DataError, match="the training split has 1 texts and 2 labels"):
        tfidf_baseline(["a"], train_labels=[0, 1], test_texts=["b"], test_labels=[0], **common)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="label -1 in row 0"):
        tfidf_baseline(["a"], train_labels=[0], test_texts=["b"], test_labels=[-1], **common)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="0 training labels"):
        majority_baseline([], test_labels=[0], **common)  # type: ignore[arg-type]


def test_survives_a_dict() -> None:
    baseline = Baseline("majority", {"accuracy": 50.0}, 0.5, ("a note",))
    assert from_json(Baseline, to_json(baseline), problems=[]) == baseline
