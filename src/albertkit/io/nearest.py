"""Find the nearest vectors: those with the largest cosine."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from albertkit.errors import DataError
from albertkit.io.vectors import FloatArray, VectorFile, unit

_SAME = 0.98  # cosine of a text's vectors in full and in half precision is above
_QUESTIONS = 512  # whose cosines with a piece are in memory at a time


class Best:
    """The vectors of a collection that are nearest to each question; the collection comes in pieces.

    >>> best = Best(np.eye(2, dtype=np.float32), top=1)
    >>> best.add(np.array([[1, 1]], np.float32))
    >>> best.add(np.array([[0, 3]], np.float32))
    >>> best.rows.tolist(), best.cosines.round(2).tolist()
    ([[0], [1]], [[0.7099999785423279], [1.0]])

    Args:
        questions: `[questions, dimensions]`. A zero vector has cosine 0 with everything.
        top: how many to keep of each, from 1.
    """

    def __init__(self, questions: FloatArray, *, top: int) -> None:
        self.questions, self.top = unit(questions), top
        self.rows = np.zeros((len(questions), 0), np.int64)
        """Numbers in the collection, from 0, `[questions, top]`: the nearest first, ties in the collection's order."""
        self.cosines = np.zeros((len(questions), 0), np.float32)
        self.seen = 0
        """Vectors of the collection so far."""

    def add(self, vectors: FloatArray) -> None:
        """Compare the next vectors of the collection, `[vectors, dimensions]`."""
        added = unit(vectors)
        numbers = np.arange(self.seen, self.seen + len(added))
        rows, cosines = [], []
        for start in range(0, len(self.questions), _QUESTIONS):
            block = slice(start, start + _QUESTIONS)
            found = np.concatenate([self.cosines[block], self.questions[block] @ added.T], axis=1)
            named = np.concatenate([self.rows[block], np.broadcast_to(numbers, (len(found), len(numbers)))], axis=1)
            best = np.argsort(-found, axis=1, kind="stable")[:, : self.top]
            rows.append(np.take_along_axis(named, best, axis=1))
            cosines.append(np.take_along_axis(found, best, axis=1))
        if rows:
            self.rows, self.cosines = np.concatenate(rows), np.concatenate(cosines)
        self.seen += len(added)


def question_vector(
    file: VectorFile, question: str, *, embed: Callable[[list[str]], FloatArray], model: str
) -> FloatArray:
    """Return the question's vector, after a look whether the model still gives the vectors of the file.

    Args:
        file: the file to search; its first text is embedded together with the question and compared.
        question: a text.
        embed: texts -> vectors `[texts, dimensions]`.
        model: its name, for the sentence.

    Raises:
        DataError: the file's vectors are of another size, or another model's.
    """
    texts, vectors = next(file.pieces(1), ([], np.zeros((0, file.dimensions), np.float32)))
    *first, vector = embed([*texts, question])
    if len(vector) != file.dimensions:
        raise DataError(f"{file.path}: vectors of {file.dimensions} numbers, but those of {model} have {len(vector)}")
    cosine = float(unit(vectors[0]) @ unit(first[0])) if first else 1.0
    if cosine < _SAME:
        raise DataError(
            f"{file.path}: not the vectors that {model} gives (cosine {cosine:.2f} for the first text): the model "
            "was trained since then, or is another one; embed the texts again, or name the right model with --model"
        )
    found: FloatArray = np.asarray(vector, np.float32)
    return found


class Near(NamedTuple):
    """A text that was found."""

    row: int
    """Its number in the file, from 0."""
    text: str
    cosine: float


def nearest(file: VectorFile, vector: FloatArray, *, top: int) -> list[Near]:
    """Return the `top` texts with the largest cosine, the nearest first; ties in the order of the file.

    Args:
        file: what is searched; piece by piece, so its size does not matter.
        vector: vector of the question, `[dimensions]`. A zero vector has cosine 0 with everything.
        top: how many, from 1.

    Raises:
        DataError: the file is damaged.
    """
    best = Best(vector[None], top=top)
    kept: dict[int, str] = {}
    for texts, vectors in file.pieces():
        start = best.seen
        best.add(vectors)
        kept = {row: kept[row] if row < start else texts[row - start] for row in best.rows[0].tolist()}
    return [Near(row, kept[row], float(cosine)) for row, cosine in zip(kept, best.cosines[0], strict=True)]
