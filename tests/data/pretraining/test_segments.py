"""Pairs of segments: nothing lost, nothing from elsewhere, sentences kept whole where they fit."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from albertkit.data.pretraining.segments import SPECIALS, SegmentPair, segment_pairs
from albertkit.errors import UsageError


def pairs_of(
    lengths: list[int],
    *,
    max_length: int,
    short_share: float = 0.0,
    seed: int = 0,
    word_starts: np.ndarray[Any, Any] | None = None,
) -> list[SegmentPair]:
    """Pairs of a document whose tokens are 0, 1, 2 .."""
    total = sum(lengths)
    return list(
        segment_pairs(
            np.arange(total),
            np.cumsum([0, *lengths]),
            word_starts=np.ones(total + 1, np.bool_) if word_starts is None else word_starts,
            max_length=max_length,
            short_share=short_share,
            random=np.random.default_rng(seed),
        )
    )


def in_order(pair: SegmentPair) -> list[int]:
    """The two segments as they are in the document."""
    first, second = (pair.second, pair.first) if pair.swapped else (pair.first, pair.second)
    found: list[int] = [*first.tolist(), *second.tolist()]
    return found


def cuts_of(pair: SegmentPair) -> tuple[int, int, int]:
    """Where a pair starts, is divided and ends, in tokens of the document."""
    tokens = in_order(pair)
    return tokens[0], tokens[len(pair.second if pair.swapped else pair.first)], tokens[-1] + 1


@settings(max_examples=80, deadline=None)
@given(
    lengths=st.lists(st.one_of(st.integers(0, 3), st.integers(0, 60)), max_size=12),
    max_length=st.integers(8, 40),
    short_share=st.sampled_from([0.0, 0.1, 0.9]),
    word_share=st.sampled_from([0.0, 0.5, 1.0]),
    seed=st.integers(0, 1000),
)
@example(lengths=[5, 1], max_length=8, short_share=0.0, word_share=1.0, seed=0)
@example(lengths=[1, 30, 1], max_length=8, short_share=0.9, word_share=0.0, seed=0)
@example(lengths=[0, 0, 2, 0], max_length=8, short_share=0.0, word_share=1.0, seed=0)
def test_every_token_is_in_one_pair_of_neighbours(
    lengths: list[int], max_length: int, short_share: float, word_share: float, seed: int
) -> None:
    total = sum(lengths)
    word_starts = np.random.default_rng(seed).random(total + 1) < word_share
    pairs = pairs_of(lengths, max_length=max_length, short_share=short_share, seed=seed, word_starts=word_starts)
    assert [token for pair in pairs for token in in_order(pair)] == (list(range(total)) if total >= 2 else [])
    for pair in pairs:
        assert len(pair.first) >= 1
        assert len(pair.second) >= 1
        assert len(pair.first) + len(pair.second) + SPECIALS == pair.length <= max_length


@settings(max_examples=40, deadline=None)
@given(lengths=st.lists(st.integers(2, 14), min_size=1, max_size=40), seed=st.integers(0, 1000))
def test_sentences_that_fit_stay_whole(lengths: list[int], seed: int) -> None:
    """29 tokens fit; the first chunk's budget is 14 at least."""
    ends = np.cumsum(lengths).tolist()
    pairs = pairs_of(lengths, max_length=32, seed=seed)
    for number, pair in enumerate(pairs):
        start, middle, end = cuts_of(pair)
        assert end in ends
        sentences = [length for length, last in zip(lengths, ends, strict=True) if start < last <= end]
        assert (middle in ends) == (len(sentences) > 1)
        following = [length for length, last in zip(lengths, ends, strict=True) if last > end][:1]
        if number and following:  # as many as fit: the next one would not have
            assert sum(sentences) + following[0] > 29


def test_a_long_sentence_is_cut_between_words() -> None:
    word_starts = np.arange(1001) % 3 == 0
    for seed in range(20):
        cuts = [cuts_of(pair) for pair in pairs_of([1000], max_length=32, seed=seed, word_starts=word_starts)]
        assert all(start % 3 == 0 for start, _, _ in cuts)
        # A chunk of one word, "999", has no other place to be divided at than inside it.
        assert all(middle % 3 == 0 for start, middle, end in cuts if end - start > 3)
        assert all(end - start in (27, 28, 29) for start, _, end in cuts[1:-1])  # 9 words of 3 are the most in 29


def test_a_token_that_would_be_left_alone() -> None:
    """Five tokens fit besides the special ones."""
    for seed in range(30):
        ends = [cuts_of(pair)[2] for pair in pairs_of([2, 3, 1], max_length=8, seed=seed)]
        # First budget 2, 3, 4: the first sentence. 5: both, and a single token remains: the second one goes to it.
        assert ends == [2, 6]
        # The chunk has room: it takes the token.
        assert [cuts_of(pair)[2] for pair in pairs_of([4, 1], max_length=8, seed=seed)] in ([5], [2, 5], [3, 5])
        # No sentence to give back, but words.
        last = [cuts_of(pair)[2] for pair in pairs_of([6], max_length=8, seed=seed)]
        assert last in ([2, 6], [3, 6], [4, 6])


def test_a_short_sentence_before_one_that_does_not_fit_goes_with_it() -> None:
    for seed in range(10):
        start, middle, end = cuts_of(pairs_of([1, 100], max_length=32, seed=seed)[0])
        assert (start, middle) == (0, 1)
        assert 14 <= end <= 29


@pytest.mark.parametrize("lengths", [[], [0], [1], [0, 1, 0]])
def test_less_than_two_tokens_give_nothing(lengths: list[int]) -> None:
    assert pairs_of(lengths, max_length=8) == []


def test_two_tokens_are_a_pair() -> None:
    seen = {
        (pair.first.tolist()[0], pair.second.tolist()[0], pair.swapped)
        for seed in range(20)
        for pair in pairs_of([1, 1], max_length=8, seed=seed)
    }
    assert seen == {(0, 1, False), (1, 0, True)}


def test_half_are_swapped_and_chunks_differ_from_draw_to_draw() -> None:
    lengths = [20] * 4000
    first, second = (pairs_of(lengths, max_length=128, seed=seed) for seed in (1, 2))
    swapped = [pair.swapped for pair in (*first, *second)]
    assert len(swapped) > 1300
    assert np.mean(swapped) == pytest.approx(0.5, abs=4 * 0.5 / len(swapped) ** 0.5)  # four standard errors
    divisions = [{cuts_of(pair)[1] for pair in pairs} for pairs in (first, second)]
    assert len(divisions[0] & divisions[1]) < 0.5 * len(divisions[0])
    again = pairs_of(lengths, max_length=128, seed=1)
    assert [in_order(pair) for pair in again] == [in_order(pair) for pair in first]


def test_the_share_of_short_chunks() -> None:
    """Sentences of one token: a chunk is as long as its budget, which is even over 5 to 61 when it is short."""
    pairs = pairs_of([1] * 200_000, max_length=64, short_share=0.2, seed=5)
    sizes = np.array([end - start for start, _, end in map(cuts_of, pairs[1:-1])])
    short = sizes[sizes < 61]
    assert len(short) / len(sizes) == pytest.approx(0.2 * 56 / 57, abs=0.02)
    assert (short.min(), short.max()) == (5, 60)
    assert short.mean() == pytest.approx((5 + 60) / 2, abs=2)
    starts = [start for start, _, _ in map(cuts_of, pairs)]
    assert all(a < b for a, b in pairwise(starts))


def test_no_room() -> None:
    with pytest.raises(UsageError, match="a length of 7 tokens has no room for two segments; give 8 or more"):
        pairs_of([3], max_length=7)
