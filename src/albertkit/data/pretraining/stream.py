"""InstanceStream: the endless stream of pretraining batches. Each depends only on the seed and its position."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from albertkit.data.pretraining.batches import PretrainingBatch, pretraining_batch
from albertkit.data.pretraining.masking import MaskingRule
from albertkit.data.pretraining.segments import SegmentPair, segment_pairs
from albertkit.errors import UsageError

IntArray = npt.NDArray[np.int64]

POOL_BATCHES = 64
"""Batches that are filled from one pool of documents: enough that no batch is one book's."""

# What each generator is for; (seed, purpose, place) makes generators that share nothing.
_ORDER, _PAIRS, _MASKS, _HELD_OUT = range(4)


class Documents(Protocol):
    """What a stream reads: `albertkit.data.corpus.shards.Corpus` is one."""

    @property
    def document_lengths(self) -> IntArray:
        """Tokens of each document."""
        ...

    def document(self, number: int) -> Any:
        """Return one with `tokens` and `starts`, the first token of each sentence and the end."""
        ...


class Position(NamedTuple):
    """Position of a stream: what comes next."""

    epoch: int = 0
    pool: int = 0
    batch: int = 0


@runtime_checkable
class PendingBatch(Protocol):
    """What will be a batch: the rest of the work waits until somebody needs it, so that each process does its own."""

    @property
    def tokens(self) -> int:
        """Tokens of its sequences, special ones included."""
        ...

    def build(self) -> PretrainingBatch:
        """Mask and pack."""
        ...


@dataclass(frozen=True)
class Stream(ABC):
    """The endless stream of batches: documents in random order, in pools whose sequences are dealt to batches.

    Raises:
        UsageError: no documents, or no room for a sequence in a batch.
    """

    corpus: Documents
    documents: IntArray
    """Numbers of the documents that are read."""
    rule: MaskingRule
    """What is masked."""
    cls_id: int
    sep_id: int
    max_length: int
    """Longest sequence in tokens, special ones included."""
    batch_tokens: int
    """Tokens of one batch, about: those of a pool are dealt evenly."""
    short_share: float = 0.1
    """Share of sequences of a shorter random length (`create_pretraining_data.py`, short_seq_prob)."""
    seed: int = 12345

    def __post_init__(self) -> None:
        if self.batch_tokens < self.max_length:
            raise UsageError(
                f"--batch-tokens {self.batch_tokens} is less than one sequence of {self.max_length} tokens; "
                "give more, or a smaller --max-length"
            )
        if not len(self.documents):
            raise UsageError("no documents to read")

    def pools(self, epoch: int) -> list[IntArray]:
        """Return the documents of an epoch, in random order, divided into pools of about 64 batches, none empty."""
        order = np.random.default_rng((self.seed, _ORDER, epoch)).permutation(self.documents)
        return _even_parts(order, self.corpus.document_lengths[order], size=POOL_BATCHES * self.batch_tokens)

    @abstractmethod
    def pool_batches(self, epoch: int, pool: int, documents: IntArray) -> Sequence[PendingBatch]:
        """Return the batches of a pool.

        Args:
            epoch: epoch number, from 0.
            pool: its place in the epoch, from 0.
            documents: documents of the pool.
        """

    def batches(self, position: Position | None = None) -> Iterator[tuple[PendingBatch, Position]]:
        """Yield batches, one pool after the other, for ever, each with the position after it.

        Args:
            position: where to begin; what comes before is not made.

        Raises:
            UsageError: the documents give no batch at all.
        """
        start = position or Position()
        epoch = start.epoch
        while True:
            found = 0
            for number, documents in enumerate(self.pools(epoch)):
                if epoch == start.epoch and number < start.pool:
                    found += 1
                    continue
                pool = self.pool_batches(epoch, number, documents)
                found += len(pool)
                first = start.batch if (epoch, number) == (start.epoch, start.pool) else 0
                for index in range(first, len(pool)):
                    yield pool[index], Position(epoch, number, index + 1)
            if not found:
                raise UsageError("the documents have no two adjacent words: there is nothing to pretrain on")
            epoch += 1


@dataclass(frozen=True)
class InstanceStream(Stream):
    """Where the batches of a pretraining come from: pairs of segments, masked when they are built."""

    num_positions: int = 0
    """Positions that short sequences are spread over (see `pretraining_batch`); 0: all begin at the first."""

    def pool_batches(self, epoch: int, pool: int, documents: IntArray) -> list[PendingPairs]:
        """Return the pairs of a pool's documents, shuffled and dealt to batches of nearly equal size."""
        random = np.random.default_rng((self.seed, _PAIRS, epoch, pool))
        pairs: list[SegmentPair] = []
        for number in documents:
            document = self.corpus.document(int(number))
            pairs.extend(
                segment_pairs(
                    document.tokens,
                    document.starts,
                    word_starts=self.rule.word_starts,
                    max_length=self.max_length,
                    short_share=self.short_share,
                    random=random,
                )
            )
        lengths = np.array([pair.length for pair in pairs], dtype=np.int64)
        dealt = deal(lengths, batch_tokens=self.batch_tokens, random=random)
        return [
            PendingPairs(self, [pairs[index] for index in part], (epoch, pool, number))
            for number, part in enumerate(dealt)
        ]


@dataclass(frozen=True)
class PendingPairs:
    """Pairs that will be a batch."""

    stream: InstanceStream
    pairs: Sequence[SegmentPair]
    place: tuple[int, int, int]

    @property
    def tokens(self) -> int:
        """Tokens of its sequences, special ones included."""
        return sum(pair.length for pair in self.pairs)

    def build(self) -> PretrainingBatch:
        """Mask and pack."""
        return pretraining_batch(
            self.pairs,
            rule=self.stream.rule,
            cls_id=self.stream.cls_id,
            sep_id=self.stream.sep_id,
            random=np.random.default_rng((self.stream.seed, _MASKS, *self.place)),
            num_positions=self.stream.num_positions,
        )


def deal(lengths: IntArray, *, batch_tokens: int, random: np.random.Generator) -> list[IntArray]:
    """Deal sequences in random order to batches of nearly equal size, none of them empty.

    >>> batches = deal(np.array([4, 4, 4, 4]), batch_tokens=8, random=np.random.default_rng(2))
    >>> [batch.tolist() for batch in batches]
    [[3, 2], [0, 1]]

    Args:
        lengths: tokens of each sequence.
        batch_tokens: tokens of one batch, about: the number of batches is rounded.
        random: random number generator for the order.

    Returns:
        Numbers of the sequences of each batch.
    """
    if not len(lengths):
        return []
    order = random.permutation(len(lengths))
    return _even_parts(order, lengths[order], size=batch_tokens)


def _even_parts(order: IntArray, lengths: IntArray, *, size: int) -> list[IntArray]:
    ends = np.cumsum(lengths)
    count = max(1, round(int(ends[-1]) / size))
    cuts = np.searchsorted(ends, ends[-1] * np.arange(1, count) / count, side="right")
    return [part for part in np.split(order, cuts) if len(part)]


def held_out_documents(num_documents: int, *, share: float, seed: int) -> tuple[IntArray, IntArray]:
    """Divide documents into those that are trained on and those that are held out.

    >>> train, held_out = held_out_documents(1000, share=0.01, seed=1)
    >>> len(train), len(held_out)
    (990, 10)

    Args:
        num_documents: all of them.
        share: share that is held out; at least one document is, where share is not 0 and there are two.
        seed: random seed of the held-out documents.

    Returns:
        Numbers of both, ascending.

    Raises:
        UsageError: the share leaves nothing on one side.
    """
    if not 0 <= share < 1:
        raise UsageError(f"the held-out share is {share}; it must be from 0 to 1, such as 0.01")
    count = max(1, round(num_documents * share)) if share else 0
    if count >= num_documents:
        raise UsageError(
            f"{num_documents} document cannot be divided into a part to train on and one to hold out; "
            "give more documents (separated by blank lines), or --held-out 0"
        )
    order = np.random.default_rng((seed, _HELD_OUT)).permutation(num_documents)
    return np.sort(order[count:]), np.sort(order[:count])
