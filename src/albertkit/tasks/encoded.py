"""Encoded: the examples of a split as network inputs, and the mapping between examples, sequences and units.

    examples    a question with its context     a text     a question with four options
    sequences   three windows of the context    one        four
    units       three (a window is right or not) one       one (an option is right among the others)

A unit is what a loss is computed on: one sequence, or several together. Several units may be of one example.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from albertkit.batching.batch import IntArray
from albertkit.batching.batch import Sequence as TokenSequence

UnitTargets = npt.NDArray[Any] | list[npt.NDArray[Any]]
"""The targets of a loss: one row per unit, or, if units differ in size, one array per unit."""


@dataclass(frozen=True)
class Encoded:
    """A split, tokenised."""

    sequences: list[TokenSequence]
    """What the network reads, in the order of the examples."""
    counts: IntArray
    """How many sequences each unit has, `[units]`; they follow each other."""
    example_ids: IntArray
    """Number of the example that each unit is of, `[units]`, rising."""
    details: Sequence[Any] = field(default=(), repr=False)
    """What decoding needs to know of each sequence (offsets in the text); empty where it needs nothing."""

    @classmethod
    def one_each(cls, sequences: list[TokenSequence], details: Sequence[Any] = ()) -> Encoded:
        """Make every sequence a unit and every unit an example.

        >>> Encoded.one_each([TokenSequence(np.array([2, 3]), np.zeros(2, int))]).example_ids.tolist()
        [0]
        """
        numbers = np.arange(len(sequences), dtype=np.int64)
        return cls(sequences, np.ones(len(sequences), np.int64), numbers, details)

    def followed_by(self, other: Encoded) -> Encoded:
        """Return these examples with others behind them.

        >>> one = Encoded.one_each([TokenSequence(np.array([2, 3]), np.zeros(2, int))])
        >>> one.followed_by(one).example_ids.tolist()
        [0, 1]
        """
        examples = int(self.example_ids[-1]) + 1 if len(self.example_ids) else 0
        return Encoded(
            [*self.sequences, *other.sequences],
            np.concatenate([self.counts, other.counts]),
            np.concatenate([self.example_ids, other.example_ids + examples]),
            [*self.details, *other.details],
        )

    def __len__(self) -> int:
        """Number of units."""
        return len(self.counts)

    @cached_property
    def starts(self) -> IntArray:
        """Number of each unit's first sequence, `[units]`."""
        return (np.cumsum(self.counts) - self.counts).astype(np.int64)

    @cached_property
    def lengths(self) -> IntArray:
        """Tokens of each unit, `[units]`."""
        sizes = np.array([len(sequence) for sequence in self.sequences], np.int64)
        return np.add.reduceat(sizes, self.starts).astype(np.int64) if len(sizes) else sizes

    def sequences_of(self, units: IntArray) -> IntArray:
        """Return the numbers of the sequences of some units, unit by unit.

        >>> two = TokenSequence(np.array([2, 3]), np.zeros(2, int))
        >>> encoded = Encoded([two] * 5, np.array([2, 3]), np.array([0, 1]))
        >>> encoded.sequences_of(np.array([1, 0])).tolist()
        [2, 3, 4, 0, 1]
        """
        ranges = [np.arange(self.starts[unit], self.starts[unit] + self.counts[unit]) for unit in units]
        return np.concatenate(ranges) if ranges else np.zeros(0, np.int64)


def take(targets: UnitTargets, units: IntArray) -> npt.NDArray[Any]:
    """Return the targets of some units: their rows, or their arrays one after the other.

    >>> take([np.array([1]), np.array([2, 3])], np.array([1, 0])).tolist()
    [2, 3, 1]
    """
    if isinstance(targets, list):
        return np.concatenate([targets[unit] for unit in units])
    return targets[units]


def unit_logits(outputs: Sequence[npt.NDArray[np.float32]], encoded: Encoded) -> npt.NDArray[np.float32]:
    """Return logits `[units, outputs]`: the mean over the sequences of each unit.

    >>> unit_logits([np.zeros(2, np.float32)], Encoded([], np.array([1]), np.array([0]))).tolist()
    [[0.0, 0.0]]
    """
    if not len(encoded):
        return np.zeros((0, 0), np.float32)
    rows = np.stack(list(outputs))
    if len(rows) == len(encoded):
        return rows
    means: npt.NDArray[np.float32] = (np.add.reduceat(rows, encoded.starts, axis=0) / encoded.counts[:, None]).astype(
        np.float32
    )
    return means
