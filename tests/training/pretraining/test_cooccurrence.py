"""Word vectors against a count in plain loops and NumPy's SVD."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

from albertkit.errors import DataError
from albertkit.training.pretraining import cooccurrence
from albertkit.training.pretraining.cooccurrence import word_vectors

VOCABULARY = 23


def texts(*, seed: int = 1) -> list[npt.NDArray[np.uint16]]:
    random = np.random.default_rng(seed)
    frequencies = 1 / np.arange(1, VOCABULARY - 1)
    return [
        random.choice(VOCABULARY - 2, size=size, p=frequencies / frequencies.sum()).astype(np.uint16)
        for size in (0, 1, 2, 3, 5, 7, 61, 101, 211)
    ]  # the last two pieces never occur


def naive(documents: list[npt.NDArray[np.uint16]]) -> npt.NDArray[np.float64]:
    """Positive pointwise mutual information, by definition."""
    counts = np.zeros((VOCABULARY, VOCABULARY))
    for document in documents:
        for here, piece in enumerate(document):
            for there, other in enumerate(document):
                if 1 <= abs(here - there) <= 5:
                    counts[piece, other] += 1 / abs(here - there)
    total = counts.sum()
    smoothed = counts.sum(0) ** 0.75
    result = np.zeros_like(counts)
    for piece in range(VOCABULARY):
        for other in range(VOCABULARY):
            if counts[piece, other]:
                together = counts[piece, other] / total
                apart = counts[piece].sum() / total * smoothed[other] / smoothed.sum()
                result[piece, other] = max(0.0, math.log(together / apart))
    return result


@pytest.mark.parametrize("dimensions", [3, 11, VOCABULARY])
def test_vectors_are_those_of_the_definition_up_to_a_rotation(dimensions: int) -> None:
    left, values, _ = np.linalg.svd(naive(texts()))
    expected = left[:, :dimensions] * values[:dimensions] @ left[:, :dimensions].T
    vectors = word_vectors(texts(), vocab_size=VOCABULARY, dimensions=dimensions)
    assert vectors.shape == (VOCABULARY, dimensions)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors @ vectors.T, expected, atol=1e-3)


def test_pieces_that_never_occur_have_no_direction() -> None:
    vectors = word_vectors(texts(), vocab_size=VOCABULARY, dimensions=11)
    lengths = np.linalg.norm(vectors, axis=1)
    assert lengths[-2:] == pytest.approx(0, abs=1e-5)
    assert (lengths[:-2] > 1e-2).all()


def test_documents_are_counted_apart_in_parts_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = word_vectors(texts(), vocab_size=VOCABULARY, dimensions=5)
    monkeypatch.setattr(cooccurrence, "_CHUNK", 3)
    counted: list[int] = []
    found = word_vectors(texts(), vocab_size=VOCABULARY, dimensions=5, progress=counted.append)
    np.testing.assert_allclose(found @ found.T, expected @ expected.T, atol=1e-4)
    assert len(counted) > 3
    assert sum(counted) == sum(map(len, texts()))


def test_the_seed_decides() -> None:
    one, same = (word_vectors(texts(), vocab_size=VOCABULARY, dimensions=5, seed=3) for _ in range(2))
    assert np.array_equal(one, same)


@pytest.mark.parametrize("documents", [[], [[]], [[7], [8], [9]]])
def test_text_without_neighbours_is_refused(documents: list[list[int]]) -> None:
    with pytest.raises(DataError, match=r"too short to count .*; use --init random"):
        word_vectors([np.array(row, np.uint16) for row in documents], vocab_size=VOCABULARY, dimensions=5)
