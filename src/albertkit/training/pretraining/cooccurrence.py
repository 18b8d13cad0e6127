"""Word vectors from counts: what occurs near what, as positive pointwise mutual information, in few dimensions.

This is what word2vec's negative sampling factorizes (Levy and Goldberg 2014), by counting and one truncated SVD: half a
minute of work that spares the network its first millions of tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from albertkit.errors import DataError

WINDOW = 5
"""Tokens on each side that count as near, the nearest most: distance d counts 1/d."""
SMOOTHING = 0.75
"""Exponent on the frequency of contexts (Levy, Goldberg, Dagan 2015): rare contexts are worth less."""
_CHUNK = 2_000_000  # tokens counted at a time: bounds memory


def word_vectors(
    texts: Iterable[npt.NDArray[Any]],
    *,
    vocab_size: int,
    dimensions: int,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> npt.NDArray[np.float32]:
    """Return a vector for each piece, `[vocab_size, dimensions]`, zero for pieces that never occur.

    Args:
        texts: tokens of documents.
        vocab_size: number of pieces.
        dimensions: at most `vocab_size`.
        seed: random seed of the randomized SVD.
        progress: called with the number of tokens that were just counted.

    Raises:
        DataError: no two tokens are neighbours.
    """
    from sklearn.utils.extmath import randomized_svd

    matrix = _positive_information(texts, vocab_size, progress)
    if not matrix.nnz:
        raise DataError("the text is too short to count which pieces occur together; use --init random")
    left, values, _ = randomized_svd(matrix, n_components=dimensions, n_iter=4, random_state=seed)
    return np.asarray(left * np.sqrt(values), dtype=np.float32)


def _chunks(texts: Iterable[npt.NDArray[Any]]) -> Iterator[npt.NDArray[np.int64]]:
    gap = np.full(WINDOW, -1, np.int64)  # nothing is near across documents
    parts: list[npt.NDArray[np.int64]] = []
    size = 0
    for text in texts:
        parts += [text.astype(np.int64), gap]
        size += len(text)
        if size >= _CHUNK:
            yield np.concatenate(parts)
            parts, size = [], 0
    if parts:
        yield np.concatenate(parts)


def _positive_information(
    texts: Iterable[npt.NDArray[Any]], vocab_size: int, progress: Callable[[int], None] | None
) -> Any:
    from scipy import sparse

    shape = (vocab_size, vocab_size)
    counts = sparse.csr_matrix(shape, dtype=np.float32)
    for tokens in _chunks(texts):
        for distance in range(1, WINDOW + 1):
            first, second = tokens[:-distance], tokens[distance:]
            near = (first >= 0) & (second >= 0)
            weights = np.full(int(near.sum()), 1 / distance, np.float32)
            counts = counts + sparse.coo_matrix((weights, (first[near], second[near])), shape=shape).tocsr()
        if progress is not None:
            progress(int((tokens >= 0).sum()))
    counts = (counts + counts.T).tocoo()
    rows = np.bincount(counts.row, weights=counts.data, minlength=vocab_size)
    contexts = rows**SMOOTHING
    contexts /= max(contexts.sum(), 1e-12)
    information = np.log(counts.data / (rows[counts.row] * contexts[counts.col]))
    positive = information > 0
    values = information[positive].astype(np.float32)
    return sparse.csr_matrix((values, (counts.row[positive], counts.col[positive])), shape=shape)
