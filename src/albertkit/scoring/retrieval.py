"""Score rankings of documents: NDCG, reciprocal rank, precision and recall, as trec_eval and BEIR define them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from albertkit.errors import DataError
from albertkit.scoring.score import Score

DEPTH = 100
"""How many documents of a ranking are read."""
_RECALLS = (10, DEPTH)


def retrieval_scores(found: Mapping[str, Sequence[str]], relevant: Mapping[str, Mapping[str, int]]) -> Score:
    """Return the means over all queries of `ndcg@10`, `mrr@10`, `precision@10`, `recall@10` and `recall@100` (0-100).

    NDCG has linear gains (the grades themselves), discounted by the logarithm of the rank.

    >>> retrieval_scores({"q": ["a", "b"]}, {"q": {"b": 1}}).metrics["mrr@10"]
    50.0

    Args:
        found: id of a query -> ids of documents, the best first.
        relevant: id of a query -> id of a document -> its grade, from 1.

    Raises:
        DataError: there are no queries.
    """
    if not found:
        raise DataError("there are no queries to score")
    discounts = 1 / np.log2(np.arange(2, 12))
    rows = []
    for query, documents in found.items():
        grades = relevant[query]
        gains = np.array([grades.get(one, 0) for one in documents[:DEPTH]] + [0] * (10 - len(documents)), np.float64)
        best = np.zeros(10)
        best[: len(grades)] = sorted(grades.values(), reverse=True)[:10]
        first = np.flatnonzero(gains[:10])
        rows.append(
            {
                "ndcg@10": gains[:10] @ discounts / (best @ discounts),
                "mrr@10": 1 / (1 + first[0]) if len(first) else 0.0,
                "precision@10": len(first) / 10,
                **{f"recall@{top}": np.count_nonzero(gains[:top]) / len(grades) for top in _RECALLS},
            }
        )
    return Score({name: 100 * float(np.mean([row[name] for row in rows])) for name in rows[0]})
