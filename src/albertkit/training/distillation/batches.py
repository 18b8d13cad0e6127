"""Batches of a distillation: each a function of only the seed and its number, so a checkpoint needs no loader state."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from albertkit.batching.cutting import longest_first, training_steps
from albertkit.data.pretraining.batches import PretrainingBatch, pretraining_batch
from albertkit.data.pretraining.masking import MaskingRule
from albertkit.data.pretraining.segments import SegmentPair, divided
from albertkit.training.distillation.texts import Texts

IntArray = npt.NDArray[np.int64]

DIVIDED = 0.5
"""Share of the texts that are shown as two segments, where sentence order is trained: `embed` sees one segment."""
_LEAST = 4  # tokens of a text that is divided


@dataclass
class DistillBatches:
    """Texts with the teacher's vectors, batch by batch."""

    texts: Texts
    vectors: npt.NDArray[np.float16]
    """Of the teacher, `[texts, dimensions]`."""
    cls_id: int
    sep_id: int
    batch_size: int
    seed: int
    rule: MaskingRule | None = None
    """What is masked, where masked words and sentence order are trained."""
    word_starts: npt.NDArray[np.bool_] | None = None
    """For each piece whether a word starts with it, where sentence order is trained."""
    num_positions: int = 0
    """Positions that half of the sequences are spread over; 0: all begin at the first."""
    _epoch: int = field(default=-1, init=False)
    _plan: list[IntArray] = field(default_factory=list, init=False)

    @property
    def per_epoch(self) -> int:
        """Batches of one pass over the texts."""
        return -(-len(self.texts) // self.batch_size)

    def at(self, step: int) -> tuple[PretrainingBatch, Tensor]:
        """Return the batch of a step (counted from 0), and the teacher's vectors of its texts in fp32.

        Args:
            step: any number; after the last text the texts come again in another order.
        """
        epoch, place = divmod(step, self.per_epoch)
        if epoch != self._epoch:
            # One forward pass holds the whole step: its texts are compared with each other.
            steps = training_steps(
                self.texts.lengths, batch_size=self.batch_size, batch_tokens=2**62, seed=self.seed, epoch=epoch
            )
            self._epoch, self._plan = epoch, [passes[0] for passes in steps]
        return self._made(self._plan[place], np.random.default_rng((self.seed, step)))

    def in_order(
        self, share: Callable[[Sequence[int]], Sequence[int]] = list
    ) -> Iterator[tuple[PretrainingBatch, Tensor]]:
        """Yield all texts once, in batches of near-equal length, always with the same masks.

        Args:
            share: which of the batches' numbers are this process's; default: all.
        """
        most = self.batch_size
        order = longest_first(self.texts.lengths)
        for number in share(range(-(-len(order) // most))):
            start = number * most
            yield self._made(order[start : start + most], np.random.default_rng((0, number)))

    def first(self, count: int) -> DistillBatches:
        """Return the first texts, at most so many, in batches of 64: to measure with."""
        some = np.arange(min(count, len(self.texts)))
        return replace(self, texts=self.texts.take(some), vectors=self.vectors[some], batch_size=64)

    def _made(self, numbers: IntArray, random: np.random.Generator) -> tuple[PretrainingBatch, Tensor]:
        batch = pretraining_batch(
            [self._shown(int(number), random) for number in numbers],
            rule=self.rule,
            cls_id=self.cls_id,
            sep_id=self.sep_id,
            random=random,
            num_positions=self.num_positions,
        )
        return batch, torch.from_numpy(self.vectors[numbers].astype(np.float32))

    def _shown(self, number: int, random: np.random.Generator) -> SegmentPair:
        tokens = self.texts.tokens[number]
        if self.word_starts is not None and len(tokens) >= _LEAST and random.random() < DIVIDED:
            return divided(tokens, self.texts.ends[number], word_starts=self.word_starts, random=random)
        return SegmentPair(tokens, tokens[:0], False)
