"""Sequence and Batch: what a tokenizer gives and an encoder takes. NumPy only.

A Batch is packed: the tokens of all its sequences are in one row, so there is no padding.

    sequences   [2 48 3]  [2 25 21 3]
    input_ids   [2 48 3 2 25 21 3]          [tokens]
    positions   [0  1 2 0  1  2 3]          [tokens]
    lengths     [3 4]                       [sequences]
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]


def extended(array: IntArray, rows: int) -> IntArray:
    """Return a copy with zeros at the end, `[rows]`.

    >>> extended(np.array([7, 9]), 4).tolist()
    [7, 9, 0, 0]
    """
    found = np.zeros(rows, np.int64)
    found[: len(array)] = array
    return found


@dataclass(frozen=True)
class Sequence:
    """One tokenised input: `[CLS] a [SEP]` or `[CLS] a [SEP] b [SEP]`."""

    input_ids: IntArray
    """Token ids, `[tokens]`."""
    token_type_ids: IntArray
    """0 for the first segment and its [CLS] and [SEP], 1 for the second, `[tokens]`."""
    truncated: int = 0
    """How many tokens of the text were cut off to fit."""

    def __len__(self) -> int:
        return len(self.input_ids)


@dataclass(frozen=True)
class Batch:
    """The tokens of several sequences in one row."""

    input_ids: IntArray
    """Token ids of all sequences, one after the other, `[tokens]`."""
    token_type_ids: IntArray
    """Segment of each token, 0 or 1, `[tokens]`."""
    positions: IntArray
    """Position of each token within its own sequence, from 0, `[tokens]`."""
    lengths: IntArray
    """Number of tokens of each sequence, `[sequences]`."""
    starts: IntArray = field(init=False)
    """Row of each sequence's first token ([CLS]), `[sequences]`."""

    def __post_init__(self) -> None:
        ends = np.cumsum(self.lengths)
        object.__setattr__(self, "starts", (ends - self.lengths).astype(np.int64, copy=False))
        tokens = int(ends[-1]) if len(ends) else 0
        assert tokens == len(self.input_ids) == len(self.token_type_ids) == len(self.positions)

    @classmethod
    def pack(cls, sequences: Iterable[Sequence]) -> Batch:
        """Lay sequences one after the other.

        >>> one = Sequence(np.array([2, 48, 3]), np.zeros(3, np.int64))
        >>> two = Sequence(np.array([2, 25, 21, 3]), np.zeros(4, np.int64))
        >>> Batch.pack([one, two]).positions.tolist()
        [0, 1, 2, 0, 1, 2, 3]
        """
        rows = list(sequences)
        lengths = np.array([len(row) for row in rows], dtype=np.int64)
        empty = np.zeros(0, np.int64)
        return cls(
            input_ids=np.concatenate([row.input_ids for row in rows]) if rows else empty,
            token_type_ids=np.concatenate([row.token_type_ids for row in rows]) if rows else empty,
            positions=np.concatenate([np.arange(length) for length in lengths]) if rows else empty,
            lengths=lengths,
        )

    @classmethod
    def from_padded(cls, input_ids: IntArray, attention_mask: IntArray, token_type_ids: IntArray) -> Batch:
        """Take `[batch, seq]` arrays apart; positions stay the columns, so left padding and holes keep their meaning.

        >>> Batch.from_padded(np.array([[2, 3, 0]]), np.array([[1, 1, 0]]), np.array([[0, 0, 0]])).lengths.tolist()
        [2]
        """
        kept = attention_mask.astype(bool)
        columns = np.broadcast_to(np.arange(input_ids.shape[1]), input_ids.shape)
        return cls(
            input_ids=input_ids[kept].astype(np.int64),
            token_type_ids=token_type_ids[kept].astype(np.int64),
            positions=columns[kept].astype(np.int64),
            lengths=kept.sum(axis=1).astype(np.int64),
        )

    def pad(self, *, length: int | None = None, pad_id: int = 0) -> dict[str, IntArray]:
        """Return `input_ids`, `attention_mask` and `token_type_ids`, each `[batch, seq]`, 0 where padded.

        Args:
            length: the width in tokens; default: the longest sequence.
            pad_id: the value at padded positions of `input_ids`.
        """
        width = int(self.lengths.max(initial=0)) if length is None else length
        mask = np.arange(width) < self.lengths[:, None]
        padded = {"input_ids": np.full(mask.shape, pad_id, np.int64), "token_type_ids": np.zeros(mask.shape, np.int64)}
        padded["input_ids"][mask] = self.input_ids
        padded["token_type_ids"][mask] = self.token_type_ids
        return {**padded, "attention_mask": mask.astype(np.int64)}

    def rows_of(self, numbers: IntArray) -> IntArray:
        """Return the rows of the tokens of some sequences, in the order of `numbers`.

        >>> Batch.from_padded(*[np.ones((2, 3), np.int64)] * 3).rows_of(np.array([1, 0])).tolist()
        [3, 4, 5, 0, 1, 2]
        """
        lengths = self.lengths[numbers]
        before = np.cumsum(lengths) - lengths
        shifts = np.repeat(self.starts[numbers] - before, lengths)
        rows: IntArray = shifts + np.arange(len(shifts))
        return rows

    def take(self, numbers: IntArray) -> Batch:
        """Return a batch of some of the sequences, in the order of `numbers`; positions stay."""
        rows = self.rows_of(numbers)
        return Batch(self.input_ids[rows], self.token_type_ids[rows], self.positions[rows], self.lengths[numbers])

    @property
    def tokens(self) -> int:
        """Number of tokens of all sequences together."""
        return len(self.input_ids)

    def __len__(self) -> int:
        """Number of sequences."""
        return len(self.lengths)

    def __iter__(self) -> Iterator[Sequence]:
        for start, length in zip(self.starts, self.lengths, strict=True):
            yield Sequence(self.input_ids[start : start + length], self.token_type_ids[start : start + length])
