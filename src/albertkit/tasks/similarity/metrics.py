"""Score the similarities of pairs, and compute the baseline from shared words.

Pairs with different scores: Pearson's and Spearman's correlation with the cosines, as for STS-B and SICK. Pairs that
just belong together have no scores to correlate with. For them, `nearest/accuracy` is how often a text's own partner is
the nearest of all, and `nearest/mrr` is the mean of 1 / rank of that partner (MS MARCO's MRR). Their correlations use 1
for a text's own partner and 0 for the partner of the next pair. For triplets, negatives are among those that the
partner is ranked with, the nearest negative takes the place of the next pair's partner, and `triplet/accuracy` is how
often the partner is nearer than all negatives of its row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from albertkit.data.examples import TextExample
from albertkit.errors import DataError
from albertkit.scoring.intervals import correlation_interval, share_interval
from albertkit.scoring.metrics import score
from albertkit.scoring.score import Score

_ROUNDING = 1e-6  # equal texts have vectors that differ by less, depending on the batch they were in
_BLOCK = 512

TRIPLETS_NOTE = (
    "the rows are triplets: pearson and spearman compare 1 for a text and its positive with 0 for the text and its "
    "nearest negative"
)
POSITIVES_NOTE = (
    "all pairs have the same number, so they count as matching; pearson and spearman compare 1 for a text's own "
    "partner with 0 for the partner of the next pair"
)


def only_positives(examples: Sequence[TextExample]) -> bool:
    """Return whether the pairs of a split just belong together: all have the same number.

    >>> only_positives([TextExample("a", "b", 1.0), TextExample("c", "d", 1.0)])
    True
    """
    return bool(examples) and len({example.label for example in examples}) == 1


def partner_ranks(
    texts: npt.NDArray[Any], partners: npt.NDArray[Any], *negatives: npt.NDArray[Any]
) -> npt.NDArray[np.int64]:
    """Return the place, from 1, of each text's own partner among all partners and negatives, the nearest first.

    What is as near as the own partner (the same text twice) does not push it back.

    >>> partner_ranks(np.eye(2, dtype=np.float32), np.array([[0.9, 0.1], [0.8, 0.2]], np.float32)).tolist()
    [1, 1]

    Args:
        texts: vectors of length 1, `[pairs, dimensions]`; NumPy or SciPy sparse.
        partners: vectors of length 1 of the second texts, the same shape.
        negatives: of further texts, which are nobody's partners.
    """
    ranks = np.ones(texts.shape[0], np.int64)
    nearest_wrong = _cosines(texts, partners)[:, None] + _ROUNDING
    for start in range(0, len(ranks), _BLOCK):
        block = slice(start, start + _BLOCK)
        for others in (partners, *negatives):
            found = texts[block] @ others.T  # [block, pairs]
            table = found if isinstance(found, np.ndarray) else found.toarray()
            ranks[block] += (table > nearest_wrong[block]).sum(axis=1)
    return ranks


def cosine_rows(texts: Sequence[Any], *, ranked: bool) -> list[Mapping[str, Any]]:
    """Return for each pair its `similarity`, and with `ranked` what pairs that just belong together are scored by.

    That is the `rank` of the partner (see `partner_ranks`) and `other`, the cosine of the text and its nearest
    negative, or without negatives the partner of the next pair.

    Args:
        texts: vectors of length 1, `[pairs, dimensions]`, of the texts, their partners and each column of negatives;
            NumPy or SciPy sparse.
        ranked: whether to add `rank` and `other`.
    """
    first, second, *negatives = texts
    rows: list[dict[str, Any]] = [{"similarity": float(cosine)} for cosine in _cosines(first, second)]
    if ranked:
        others = negatives or [second[np.roll(np.arange(len(rows)), -1)]]
        nearest = np.max([_cosines(first, other) for other in others], axis=0)
        for row, rank, other in zip(rows, partner_ranks(first, second, *negatives), nearest, strict=True):
            row |= {"rank": int(rank), "other": float(other)}
    return list(rows)


def _cosines(first: Any, second: Any) -> npt.NDArray[Any]:
    """Return the products of rows, `[pairs]`."""
    products = first * second if isinstance(first, np.ndarray) else first.multiply(second)
    return np.asarray(products.sum(axis=1)).reshape(-1)


def similarity_scores(examples: Sequence[TextExample], predictions: Sequence[Mapping[str, Any]]) -> Score:
    """Return `pearson`, `spearman` (-100 to 100) and notes; of positives `nearest/accuracy`, `nearest/mrr` (0-100).

    Args:
        examples: pairs with numbers, or triplets, which also get `triplet/accuracy`.
        predictions: `similarity` of each, and of positives `rank` and `other`, as the task's `predictions` gives them.

    Raises:
        DataError: no examples.
    """
    if not len(examples):
        raise DataError("there are no pairs to score")
    numbers = np.array([example.label for example in examples], np.float64)
    cosines = np.array([row["similarity"] for row in predictions], np.float64)
    found: dict[str, float] = {}
    notes: tuple[str, ...] = ()
    if only_positives(examples):
        ranks = np.array([row["rank"] for row in predictions], np.float64)
        found = {"nearest/accuracy": 100 * float((ranks == 1).mean()), "nearest/mrr": 100 * float((1 / ranks).mean())}
        others = np.array([row["other"] for row in predictions], np.float64)
        if examples[0].negatives:
            found["triplet/accuracy"] = 100 * float((cosines > others).mean())
        numbers = np.repeat([1.0, 0.0], len(examples))
        cosines = np.concatenate([cosines, others])
        notes = (TRIPLETS_NOTE if examples[0].negatives else POSITIVES_NOTE,)
    measured = score(("pearson", "spearman"), task="regression", labels_true=numbers, outputs=cosines, num_labels=1)
    metrics = {**measured.metrics, **found}
    intervals = {name: correlation_interval(metrics[name], len(examples)) for name in ("pearson", "spearman")}
    intervals |= {name: share_interval(value, len(examples)) for name, value in found.items()}
    return Score(metrics, (*notes, *measured.notes), intervals)


def shared_words(examples: Sequence[TextExample]) -> list[Mapping[str, Any]]:
    """Return predictions from words only: the cosine of the sets of words of two texts, in lower case.

    >>> shared_words([TextExample("a dog", "A cat", 1.0), TextExample("b", "c", 0.5)])
    [{'similarity': 0.5}, {'similarity': 0.0}]
    """
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.preprocessing import normalize

    columns = list(zip(*((row.text, row.pair or "", *row.negatives) for row in examples), strict=True))
    texts = [text.lower() for column in columns for text in column]
    words = CountVectorizer(binary=True, lowercase=False, token_pattern=r"\w+", vocabulary=_words(texts))
    vectors = normalize(words.fit_transform(texts).astype(np.float64)).tocsr()
    count = len(examples)
    found = [vectors[count * place : count * (place + 1)] for place in range(len(columns))]
    rows = cosine_rows(found, ranked=only_positives(examples))
    return [{**row, "similarity": round(row["similarity"], 12)} for row in rows]


def _words(texts: Sequence[str]) -> list[str]:
    import re

    found = {word for text in texts for word in re.findall(r"\w+", text)}
    return sorted(found) or [""]  # scikit-learn would refuse texts without words
