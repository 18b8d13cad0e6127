"""Scores of similarities, against scipy and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from albertkit.data.examples import TextExample
from albertkit.datasets.dataset import Dataset
from albertkit.errors import DataError
from albertkit.tasks.similarity import SIMILARITY
from albertkit.tasks.similarity.metrics import shared_words, similarity_scores

PAIRS = [("a small dog", "the dog"), ("A cat sat", "a cat"), ("!", "?"), ("one two", "two one")]


def examples_with(numbers: list[float]) -> list[TextExample]:
    return [TextExample(text, pair, number) for (text, pair), number in zip(PAIRS, numbers, strict=True)]


def test_correlations_are_scipys() -> None:
    numbers, cosines = [2.0, 4.5, 1.0, 3.0], [0.2, 0.9, 0.3, 0.4]
    found = SIMILARITY.score([{"similarity": cosine} for cosine in cosines], examples_with(numbers))
    found = found.chosen(("spearman", "pearson"), task="regression")
    assert list(found.metrics) == ["spearman", "pearson"]
    assert found.metrics["pearson"] == pytest.approx(100 * stats.pearsonr(numbers, cosines).statistic)
    assert found.metrics["spearman"] == pytest.approx(100 * stats.spearmanr(numbers, cosines).statistic)


def test_positives_have_accuracy_and_mean_reciprocal_rank() -> None:
    rows = [
        {"similarity": s, "rank": r, "other": o}
        for s, r, o in [(0.9, 1, 0.1), (0.5, 2, 0.6), (0.8, 1, 0.2), (0.1, 4, 0.3)]
    ]
    scored = similarity_scores(examples_with([1.0] * 4), rows)
    found, notes = scored.metrics, scored.notes
    assert found["nearest/accuracy"] == 50
    assert found["nearest/mrr"] == pytest.approx(100 * (1 + 1 / 2 + 1 + 1 / 4) / 4)
    both = stats.spearmanr([1] * 4 + [0] * 4, [0.9, 0.5, 0.8, 0.1, 0.1, 0.6, 0.2, 0.3]).statistic
    assert found["spearman"] == pytest.approx(100 * both)
    assert "count as matching" in notes[0]


def test_shared_words_by_hand() -> None:
    found = [row["similarity"] for row in shared_words(examples_with([1.0, 2.0, 3.0, 4.0]))]
    assert found == pytest.approx([1 / np.sqrt(6), 2 / np.sqrt(6), 0, 1])
    positives = shared_words(examples_with([1.0] * 4))
    assert [row["rank"] for row in positives] == [1, 1, 1, 1]
    assert positives[0]["other"] == pytest.approx(1 / np.sqrt(6))  # "a" of "a cat"


@pytest.mark.parametrize("numbers", [[1.0, 2.0, 3.0, 4.0], [1.0] * 4])
def test_the_baseline_beside_a_run(numbers: list[float]) -> None:
    data = Dataset("toy", "test", "regression", (), ("pearson", "spearman"), examples_with(numbers))
    (found,) = SIMILARITY.baselines(data, data)
    assert found.name == "shared_words"
    assert list(found.metrics)[:2] == ["pearson", "spearman"]


def test_nothing_to_score() -> None:
    with pytest.raises(DataError, match="no pairs to score"):
        similarity_scores([], [])


def test_shared_words_of_triplets() -> None:
    rows = [
        TextExample("a dog", "the dog", 1.0, negatives=("a dog ran",)),
        TextExample("b", "b", 1.0, negatives=("c",)),
    ]
    found = shared_words(rows)
    assert [row["similarity"] for row in found] == pytest.approx([1 / 2, 1])
    assert [row["other"] for row in found] == pytest.approx([2 / np.sqrt(6), 0])
    assert [row["rank"] for row in found] == [2, 1]
