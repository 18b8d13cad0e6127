"""Score the similarities of pairs, and compute the baseline from shared words.

Pairs with different scores: Pearson's and Spearman's correlation with the cosines, as for STS-B and SICK. Pairs that
just belong together have no scores to correlate with. For them, `nearest/accuracy` is how often a text's own partner is
the nearest of all, and `nearest/mrr` is the mean of 1 / rank of that partner (MS MARCO's MRR). Their correlations use 1
for a text's own partner and 0 for the partner of the next pair.
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


def partner_ranks(texts: npt.NDArray[Any], partners: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return the place, from 1, of each text's own partner among all partners, the nearest first.

    A partner that is as near as the own one (the same text twice) does not push it back.

    >>> partner_ranks(np.eye(2, dtype=np.float32), np.array([[0.9, 0.1], [0.8, 0.2]], np.float32)).tolist()
    [1, 1]

    Args:
        texts: vectors of length 1, `[pairs, dimensions]`; NumPy or SciPy sparse.
        partners: vectors of length 1 of the second texts, the same shape.
    """
    ranks = np.ones(texts.shape[0], np.int64)
    for start in range(0, len(ranks), _BLOCK):
        found = texts[start : start + _BLOCK] @ partners.T  # [block, pairs]
        table = found if isinstance(found, np.ndarray) else found.toarray()
        rows = np.arange(len(table))
        own = table[rows, start + rows]
        ranks[start : start + _BLOCK] += (table > own[:, None] + _ROUNDING).sum(axis=1)
    return ranks


def similarity_scores(examples: Sequence[TextExample], predictions: Sequence[Mapping[str, Any]]) -> Score:
    """Return `pearson`, `spearman` (-100 to 100) and notes; of positives `nearest/accuracy`, `nearest/mrr` (0-100).

    Args:
        examples: pairs with numbers.
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
        numbers = np.repeat([1.0, 0.0], len(examples))
        cosines = np.concatenate([cosines, [row["other"] for row in predictions]])
        notes = (POSITIVES_NOTE,)
    measured = score(("pearson", "spearman"), task="regression", labels_true=numbers, outputs=cosines, num_labels=1)
    metrics = {**measured.metrics, **found}
    intervals = {name: correlation_interval(metrics[name], len(examples)) for name in ("pearson", "spearman")}
    intervals |= {name: share_interval(value, len(examples)) for name, value in found.items()}
    return Score(metrics, (*notes, *measured.notes), intervals)


def shared_words(examples: Sequence[TextExample]) -> list[Mapping[str, Any]]:
    """Return predictions from words only: the cosine of the two sets of words, in lower case.

    >>> shared_words([TextExample("a dog", "A cat", 1.0), TextExample("b", "c", 0.5)])
    [{'similarity': 0.5}, {'similarity': 0.0}]
    """
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.preprocessing import normalize

    texts = [text.lower() for example in examples for text in (example.text, example.pair or "")]
    words = CountVectorizer(binary=True, lowercase=False, token_pattern=r"\w+", vocabulary=_words(texts))
    vectors = normalize(words.fit_transform(texts).astype(np.float64)).tocsr()
    first, second = vectors[0::2], vectors[1::2]
    cosines = np.asarray(first.multiply(second).sum(axis=1))[:, 0]
    rows: list[dict[str, Any]] = [{"similarity": round(float(cosine), 12)} for cosine in cosines]
    if only_positives(examples):
        moved = second[np.roll(np.arange(len(rows)), -1)]
        others = np.asarray(first.multiply(moved).sum(axis=1))[:, 0]
        for row, rank, other in zip(rows, partner_ranks(first, second), others, strict=True):
            row |= {"rank": int(rank), "other": float(other)}
    return list(rows)


def _words(texts: Sequence[str]) -> list[str]:
    import re

    found = {word for text in texts for word in re.findall(r"\w+", text)}
    return sorted(found) or [""]  # scikit-learn would refuse texts without words
