"""Packed pairs with masks: by hand, and by counting over the lengths of a corpus."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.data.pretraining.memory_corpus import CLS, FIRST, MASK, SEP

from albertkit.data.pretraining.batches import PretrainingBatch, pretraining_batch
from albertkit.data.pretraining.masking import MaskingRule
from albertkit.data.pretraining.segments import SegmentPair

PIECES = 1000
EVERY_PIECE_A_WORD = MaskingRule(np.ones(PIECES, np.bool_), MASK, np.arange(FIRST, PIECES))
PAIRS = [
    SegmentPair(np.array([20, 21, 22], np.uint16), np.array([30, 31], np.uint16), False),
    SegmentPair(np.array([40], np.uint16), np.array([50, 51, 52, 53], np.uint16), True),
]


def pack(pairs: list[SegmentPair], *, seed: int = 3, rule: MaskingRule = EVERY_PIECE_A_WORD, **options: Any) -> Any:
    random = np.random.default_rng(seed)
    return pretraining_batch(pairs, rule=rule, cls_id=CLS, sep_id=SEP, random=random, **options)


def originals(made: PretrainingBatch) -> np.ndarray[Any, Any]:
    """The tokens before masking."""
    ids = made.batch.input_ids.copy()
    ids[made.masked_positions] = made.masked_ids
    return ids


def random_pairs(count: int, *, seed: int = 3) -> list[SegmentPair]:
    """Pairs of 2 to 125 tokens, more short ones than a corpus gives."""
    random = np.random.RandomState(seed)
    sizes = random.randint(2, 126, size=count)
    parts = random.randint(1, sizes)
    cuts = np.cumsum(np.stack([parts, sizes - parts], axis=1).reshape(-1))
    segments = np.split(random.randint(FIRST, PIECES, cuts[-1]), cuts[:-1])
    return [
        SegmentPair(first, second, len(first) % 2 == 0)
        for first, second in zip(segments[::2], segments[1::2], strict=True)
    ]


def test_two_pairs_by_hand() -> None:
    made = pack(PAIRS)
    assert originals(made).tolist() == [CLS, 20, 21, 22, SEP, 30, 31, SEP, CLS, 40, SEP, 50, 51, 52, 53, SEP]
    assert made.batch.token_type_ids.tolist() == [0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1, 1, 1]
    assert made.batch.positions.tolist() == [*range(8), *range(8)]
    assert made.batch.lengths.tolist() == [8, 8]
    assert made.swapped.tolist() == [0, 1]
    arrays = (made.batch.input_ids, made.masked_positions, made.masked_ids, made.swapped)
    assert {array.dtype.name for array in arrays} == {"int64"}


def test_every_place_is_masked_at_some_time_but_never_a_special_token() -> None:
    seen = {int(row) for seed in range(200) for row in pack(PAIRS, seed=seed).masked_positions}
    assert seen == {1, 2, 3, 5, 6, 9, 11, 12, 13, 14}


@pytest.mark.parametrize("dtype", [np.uint16, np.uint32])
def test_high_ids(dtype: Any) -> None:
    top = 65_535 if dtype is np.uint16 else 120_000
    rule = MaskingRule(np.ones(top + 1, np.bool_), MASK, np.array([top - 1]))
    pair = SegmentPair(np.full(30, top, dtype), np.full(30, top, dtype), False)
    made = pack([pair], rule=rule)
    assert set(originals(made).tolist()) == {CLS, SEP, top}
    assert set(made.masked_ids.tolist()) == {top}


def test_the_share_counts_special_tokens_whatever_the_lengths() -> None:
    pairs = random_pairs(5000)
    made = pack(pairs)
    tokens = sum(pair.length for pair in pairs)
    assert made.batch.tokens == tokens > 300_000
    assert len(made.masked_ids) / tokens == pytest.approx(0.15, abs=0.002)
    assert made.swapped.tolist() == [int(pair.swapped) for pair in pairs]
    # Short and long sequences have the same share, each counted with its own special tokens.
    masked = np.bincount(np.searchsorted(np.cumsum(made.batch.lengths), made.masked_positions, side="right"))
    for low, high in ((20, 40), (40, 80), (80, 128)):
        chosen = (made.batch.lengths >= low) & (made.batch.lengths < high)
        share = np.resize(masked, len(chosen))[chosen].sum() / made.batch.lengths[chosen].sum()
        assert share == pytest.approx(0.15, abs=0.005), (low, high)


def test_half_of_the_short_sequences_begin_anywhere() -> None:
    pairs = random_pairs(3000)
    plain, spread = pack(pairs), pack(pairs, num_positions=128)
    np.testing.assert_array_equal(plain.batch.input_ids, spread.batch.input_ids)
    np.testing.assert_array_equal(plain.masked_positions, spread.masked_positions)
    shifts = spread.batch.positions - plain.batch.positions
    first = shifts[plain.batch.starts]
    np.testing.assert_array_equal(shifts, np.repeat(first, plain.batch.lengths))  # a sequence is moved as a whole
    assert first.min() == 0
    assert spread.batch.positions.max() == 127
    short = plain.batch.lengths <= 28  # 100 positions or more to choose from
    assert np.mean(first[short] > 0) == pytest.approx(0.5, abs=0.05)
    room = 128 - plain.batch.lengths[short]
    assert np.mean(first[short] / room) == pytest.approx(0.25, abs=0.03)  # half of them even over the room
    assert not (pack(pairs, num_positions=64).batch.positions - plain.batch.positions)[
        np.repeat(plain.batch.lengths >= 64, plain.batch.lengths)
    ].any()
