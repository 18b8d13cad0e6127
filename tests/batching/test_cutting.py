"""Token budgets and length grouping: every index once, budgets kept, the same for the same seed."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from albertkit.batching.cutting import (
    POOL_SHARE,
    POOL_STEPS,
    cut_by_tokens,
    cut_evenly,
    cut_near_equal,
    fill,
    longest_first,
    put_back,
    training_steps,
)
from albertkit.errors import UsageError

LENGTHS = st.lists(st.integers(2, 512), max_size=300)


@settings(max_examples=60, deadline=None)
@given(lengths=LENGTHS, max_tokens=st.integers(1, 2000))
def test_each_index_is_in_one_batch_within_the_budget(lengths: list[int], max_tokens: int) -> None:
    batches = cut_by_tokens(lengths, max_tokens=max_tokens)
    assert sorted(index for batch in batches for index in batch.tolist()) == list(range(len(lengths)))
    assert all(len(batch) == 1 or sum(lengths[i] for i in batch) <= max_tokens for batch in batches)
    flat = [lengths[i] for batch in batches for i in batch]
    assert flat == sorted(lengths, reverse=True)
    # Greedy: the next batch's first sequence would not have fitted.
    for batch, following in pairwise(batches):
        assert sum(lengths[i] for i in batch) + lengths[following[0]] > max_tokens


@settings(max_examples=60, deadline=None)
@given(
    lengths=LENGTHS,
    batch_size=st.integers(1, 40),
    batch_tokens=st.integers(1, 2000),
    seed=st.integers(0, 2**32 - 1),
    epoch=st.integers(0, 50),
)
def test_steps_cover_an_epoch(lengths: list[int], batch_size: int, batch_tokens: int, seed: int, epoch: int) -> None:
    steps = training_steps(lengths, batch_size=batch_size, batch_tokens=batch_tokens, seed=seed, epoch=epoch)
    assert sorted(i for step in steps for part in step for i in part.tolist()) == list(range(len(lengths)))
    whole, rest = divmod(len(lengths), batch_size)
    sizes = sorted(sum(len(part) for part in step) for step in steps)
    assert sizes == sorted([batch_size] * whole + [rest] * bool(rest))
    for step in steps:
        assert all(len(part) == 1 or sum(lengths[i] for i in part) <= batch_tokens for part in step)
    again = training_steps(lengths, batch_size=batch_size, batch_tokens=batch_tokens, seed=seed, epoch=epoch)
    assert [[p.tolist() for p in step] for step in again] == [[p.tolist() for p in step] for step in steps]


def test_epochs_and_seeds_differ_and_steps_are_homogeneous() -> None:
    lengths = np.random.default_rng(0).integers(2, 512, size=6400)

    def epoch(seed: int, number: int) -> list[list[int]]:
        steps = training_steps(lengths, batch_size=16, batch_tokens=10**6, seed=seed, epoch=number)
        return [sorted(step[0].tolist()) for step in steps]

    first = epoch(1, 0)
    assert first != epoch(1, 1)
    assert first != epoch(2, 0)
    assert len({tuple(step) for step in first} & {tuple(step) for step in epoch(1, 1)}) == 0
    spread = np.mean([np.ptp(lengths[step]) for step in first])
    assert spread < 511 / min(POOL_STEPS, 400 // POOL_SHARE) * 1.5  # random steps of 16 spread over 450 of 510 lengths
    order = [lengths[step].mean() for step in first]
    assert abs(np.corrcoef(order, np.arange(len(order)))[0, 1]) < 0.2  # the steps themselves are shuffled


def test_a_small_epoch_is_not_sorted_whole() -> None:
    lengths = list(range(2, 42))
    steps = [
        {frozenset(i for part in step for i in part.tolist()) for step in steps}
        for steps in (training_steps(lengths, batch_size=4, batch_tokens=999, seed=3, epoch=e) for e in range(2))
    ]
    assert not steps[0] & steps[1]


def test_worked_example() -> None:
    assert [batch.tolist() for batch in cut_by_tokens([5, 7, 2, 3, 11], max_tokens=10)] == [[4], [1], [0, 3, 2]]
    assert cut_by_tokens([], max_tokens=10) == []
    assert training_steps([], batch_size=2, batch_tokens=10, seed=0, epoch=0) == []


def test_budgets_that_cannot_be() -> None:
    with pytest.raises(UsageError, match="token budget is 0"):
        cut_by_tokens([3], max_tokens=0)
    with pytest.raises(UsageError, match="batch size is 0"):
        training_steps([3], batch_size=0, batch_tokens=8, seed=0, epoch=0)


def test_a_queue_is_read_no_further_than_its_first_batch() -> None:
    lengths = iter([3, 4, 9, 2])
    assert next(fill(lengths, max_tokens=8)) == 2
    assert list(lengths) == [2]
    assert list(fill([], max_tokens=8)) == []


def test_near_equal_sequences_share_a_part() -> None:
    lengths = np.random.default_rng(1).integers(1, 300, 97)
    parts = cut_near_equal(lengths)
    assert np.concatenate(parts).tolist() == longest_first(lengths).tolist()
    for part in parts:
        longest, shortest = lengths[part].max(), lengths[part].min()
        assert shortest >= longest - 8 or shortest >= 0.85 * longest
    assert cut_near_equal(np.zeros(0, np.int64)) == []


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_workers_get_about_equal_parts(workers: int) -> None:
    lengths = np.random.default_rng(2).integers(1, 60, 301)
    parts = cut_evenly(lengths, max_tokens=1024, workers=workers)
    assert len(parts) % workers == 0
    tokens = [int(lengths[part].sum()) for part in parts]
    assert max(tokens) - min(tokens) <= 2 * 60
    assert (np.concatenate(parts)[put_back(parts)] == np.arange(301)).all()
