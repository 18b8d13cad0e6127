"""PretrainingBatch: what one forward and backward pass of pretraining takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from albertkit.batching.batch import Batch
from albertkit.data.pretraining.masking import Masked, MaskingRule, mask_segments
from albertkit.data.pretraining.segments import SPECIALS, SegmentPair

IntArray = npt.NDArray[np.int64]

UNORDERED = -100
"""In `swapped`: a sequence of one segment, which has no order. Cross-entropy ignores this target."""


@dataclass(frozen=True)
class PretrainingBatch:
    """A packed batch with masks, and what the two heads have to say."""

    batch: Batch
    """`[CLS] first [SEP] second [SEP]` of each pair (`[CLS] first [SEP]` without a second), some tokens masked."""
    masked_positions: IntArray
    """Rows of the packed tokens where a piece is predicted, ascending, `[masked]`."""
    masked_ids: IntArray
    """The pieces that stood there, `[masked]`."""
    swapped: IntArray
    """1 where the second segment comes first in its document, 0 where not, UNORDERED without one, `[sequences]`."""
    ngrams: IntArray | None = None
    """Words of each masked n-gram, in the order of the text, `[n-grams]`; None where that is not known."""

    @property
    def num_ordered(self) -> int:
        """Sequences of two segments."""
        return int((self.swapped != UNORDERED).sum())

    def take(self, numbers: IntArray) -> PretrainingBatch:
        """Return some sequences as a batch of their own, numbered in ascending order."""
        place = np.full(self.batch.tokens, -1, np.int64)
        rows = self.batch.rows_of(numbers)
        place[rows] = np.arange(len(rows))
        positions = place[self.masked_positions]
        kept = positions >= 0
        return PretrainingBatch(self.batch.take(numbers), positions[kept], self.masked_ids[kept], self.swapped[numbers])


def pretraining_batch(
    pairs: Sequence[SegmentPair],
    *,
    rule: MaskingRule | None,
    cls_id: int,
    sep_id: int,
    random: np.random.Generator,
    num_positions: int = 0,
) -> PretrainingBatch:
    """Pack pairs and mask them.

    Args:
        pairs: at least one.
        rule: what is masked; None masks nothing.
        cls_id: id of [CLS].
        sep_id: id of [SEP].
        random: random number generator for the masks.
        num_positions: where more than a sequence is long, half of the sequences begin at a random one of so many
            positions instead of the first, so that short sequences train the positions of long ones, too.
    """
    first = np.array([len(pair.first) for pair in pairs], dtype=np.int64)
    second = np.array([len(pair.second) for pair in pairs], dtype=np.int64)
    specials = np.where(second > 0, SPECIALS, SPECIALS - 1)
    lengths = first + second + specials
    ends = np.cumsum(lengths)
    begins = ends - lengths
    cls, sep = np.array([cls_id]), np.array([sep_id])
    parts: list[npt.NDArray[Any]] = []
    for pair in pairs:
        parts += [cls, pair.first, sep, pair.second, sep] if len(pair.second) else [cls, pair.first, sep]
    input_ids = np.concatenate(parts).astype(np.int64)
    positions = np.arange(len(input_ids)) - np.repeat(begins, lengths)
    token_type_ids = (positions >= np.repeat(first + 2, lengths)).astype(np.int64)
    none = np.zeros(0, np.int64)
    masked = Masked(input_ids, none, none, none)
    if rule is not None:
        masked = mask_segments(
            input_ids,
            starts=np.stack([begins + 1, begins + first + 2], axis=1).reshape(-1),
            lengths=np.stack([first, second], axis=1).reshape(-1),
            shares=np.repeat(rule.share * lengths / (lengths - specials), 2),
            rule=rule,
            random=random,
        )
    room = np.maximum(num_positions - lengths, 0)
    if room.any():
        shifts = random.integers(room + 1) * (random.random(len(room)) < 0.5)
        positions = positions + np.repeat(shifts, lengths)
    return PretrainingBatch(
        Batch(masked.input_ids, token_type_ids, positions, lengths),
        masked.positions,
        masked.targets,
        np.where(second > 0, np.array([pair.swapped for pair in pairs], dtype=np.int64), UNORDERED),
        masked.ngrams,
    )
