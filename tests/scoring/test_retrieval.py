"""Metrics of rankings, against trec_eval's (recorded with pytrec_eval-terrier 0.5.11) and scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import ndcg_score

from albertkit.errors import DataError
from albertkit.scoring.retrieval import retrieval_scores

QUERIES, DOCUMENTS = 7, 130


def rankings() -> tuple[dict[str, list[str]], dict[str, dict[str, int]]]:
    """Random rankings of 120 of 130 documents, and grades of 1 to 3 for up to 17 of them per query."""
    random = np.random.RandomState(3)
    found, relevant = {}, {}
    for query in range(QUERIES):
        found[f"q{query}"] = [f"d{row}" for row in random.permutation(DOCUMENTS)[:120]]
        chosen = random.permutation(DOCUMENTS)[: random.randint(1, 18)]
        relevant[f"q{query}"] = {f"d{row}": int(random.randint(1, 4)) for row in chosen}
    return found, relevant


TREC_EVAL = {
    "ndcg@10": 3.8788351927727733,
    "precision@10": 5.714285714285714,
    "recall@10": 7.369614512471655,
    "recall@100": 82.66439909297051,
    "mrr@10": 13.571428571428571,
}
"""ndcg_cut_10, P_10, recall_10, recall_100, and recip_rank of the first ten, x 100, means of `rankings`."""


def test_the_numbers_are_trec_evals() -> None:
    assert retrieval_scores(*rankings()).metrics == pytest.approx(TREC_EVAL, abs=1e-9)


def test_ndcg_is_scikit_learns() -> None:
    found, relevant = rankings()
    each = []
    for query, documents in found.items():
        true = [relevant[query].get(f"d{row}", 0) for row in range(DOCUMENTS)]
        scores = [-documents.index(f"d{row}") if f"d{row}" in documents else -1000 for row in range(DOCUMENTS)]
        each.append(ndcg_score([true], [scores], k=10))
    assert retrieval_scores(found, relevant).metrics["ndcg@10"] == pytest.approx(100 * np.mean(each))


def test_by_hand() -> None:
    found = retrieval_scores({"q": ["a", "b", "c"], "r": ["a"]}, {"q": {"b": 1, "z": 1}, "r": {"b": 2}}).metrics
    ideal = 1 + 1 / np.log2(3)
    assert found == pytest.approx(
        {"ndcg@10": 50 / np.log2(3) / ideal, "mrr@10": 25, "precision@10": 5, "recall@10": 25, "recall@100": 25}
    )
    with pytest.raises(DataError, match="no queries"):
        retrieval_scores({}, {})
