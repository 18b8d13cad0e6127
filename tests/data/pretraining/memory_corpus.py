"""Documents in memory, in place of shards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from albertkit.data.corpus.shards import Document
from albertkit.data.pretraining.masking import MaskingRule

CLS, SEP, MASK = 2, 3, 4
FIRST = 5
"""Lowest id that is no special token."""


class MemoryCorpus:
    """Documents whose tokens are all different: 5, 6, 7 .. through the corpus, so that each can be found again.

    Args:
        sentence_lengths: of each document, tokens of each sentence.
    """

    def __init__(self, sentence_lengths: Sequence[Sequence[int]]) -> None:
        self.document_lengths = np.array([sum(lengths) for lengths in sentence_lengths], dtype=np.int64)
        ends = FIRST + np.cumsum(self.document_lengths)
        self.documents = [
            Document(
                np.arange(end - sum(lengths), end, dtype=np.uint32),
                np.cumsum([0, *lengths], dtype=np.int64),
            )
            for lengths, end in zip(sentence_lengths, ends, strict=True)
        ]
        self.vocab_size = FIRST + int(self.document_lengths.sum())

    def document(self, number: int) -> Document:
        """Return one."""
        return self.documents[number]

    @property
    def numbers(self) -> np.ndarray[Any, Any]:
        """All documents."""
        return np.arange(len(self.documents))

    @property
    def owner(self) -> np.ndarray[Any, Any]:
        """Document of each id, -1 for special tokens."""
        return np.concatenate([np.full(FIRST, -1), np.repeat(self.numbers, self.document_lengths)])


def random_corpus(*, tokens: int, seed: int = 3, most_sentences: int = 40) -> MemoryCorpus:
    """Documents of 1 to 40 sentences, which have 1 to 150 tokens, 20 or so most often."""
    random = np.random.RandomState(seed)
    documents: list[list[int]] = []
    total = 0
    while total < tokens:
        lengths = random.lognormal(3.1, 0.6, size=random.randint(1, most_sentences + 1)).astype(int).clip(1, 150)
        documents.append(lengths.tolist())
        total += int(lengths.sum())
    return MemoryCorpus(documents)


def rule(corpus: MemoryCorpus, *, seed: int = 3, **options: Any) -> MaskingRule:
    """Seven pieces of ten start a word."""
    starts = np.random.RandomState(seed).random_sample(corpus.vocab_size) < 0.7
    return MaskingRule(starts, MASK, np.arange(FIRST, corpus.vocab_size), **options)
