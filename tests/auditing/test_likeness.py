"""Equal, nearly equal and lonely texts."""

from __future__ import annotations

import numpy as np

from albertkit.auditing.likeness import Alike, compare_all, far_rows, words_of


def test_equal_words_are_alike_and_like_meanings_are_not() -> None:
    texts = [
        "The film is a small wonder of acting and light.",
        "the FILM is a small wonder of acting, and light",
        "The film is a small wonder of acting and sound.",
        "A splendid movie with great actors and images.",
        "",
        "!",
    ]
    vectors = np.ones((6, 3), np.float32)  # all have cosine 1
    vectors[3, 0] = 1.1
    pairs, means = compare_all(vectors, [words_of(text) for text in texts])
    assert pairs == [Alike(0, 1, True), Alike(0, 2, False)]
    assert means.shape == (6,)


def test_the_mean_cosine_is_that_of_scikit_learn() -> None:
    from sklearn.neighbors import NearestNeighbors

    vectors = np.random.default_rng(1).normal(size=(701, 5)).astype(np.float32)  # more than a block
    _, means = compare_all(vectors, [(str(row),) for row in range(701)])
    distances, _ = NearestNeighbors(n_neighbors=11, metric="cosine").fit(vectors).kneighbors(vectors)
    np.testing.assert_allclose(means, 1 - distances[:, 1:].mean(axis=1), atol=1e-5)


def test_far_rows() -> None:
    means = np.linspace(0.7, 0.8, 50).astype(np.float32)
    means[[3, 30]] = 0.2, 0.1
    assert far_rows(means) == [30, 3]
    assert far_rows(means[:10]) == []  # too few to tell
    assert far_rows(np.full(50, 0.5, np.float32)) == []


def test_one_row() -> None:
    pairs, means = compare_all(np.ones((1, 2), np.float32), [("a",)])
    assert (pairs, means.tolist()) == ([], [1.0])
