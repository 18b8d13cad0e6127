"""Token budgets and length grouping: every index once, budgets kept, the same for the same seed."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from albertkit.data.batches import POOL_SHARE, POOL_STEPS, batches_by_tokens, inference_batches, training_steps
from albertkit.errors import UsageError

LENGTHS = st.lists(st.integers(2, 512), max_size=300)


@settings(max_examples=60, deadline=None)
@given(lengths=LENGTHS, max_tokens=st.integers(1, 2000), longest_first=st.booleans())
def test_each_index_stands_once_within_the_budget(lengths: list[int], max_tokens: int, longest_first: bool) -> None:
    batches = batches_by_tokens(lengths, max_tokens=max_tokens, longest_first=longest_first)
    assert sorted(index for batch in batches for index in batch.tolist()) == list(range(len(lengths)))
    assert all(len(batch) == 1 or sum(lengths[i] for i in batch) <= max_tokens for batch in batches)
    flat = [lengths[i] for batch in batches for i in batch]
    assert flat == sorted(lengths, reverse=longest_first)
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
    assert [batch.tolist() for batch in inference_batches([5, 7, 2, 3, 11], batch_tokens=10)] == [[4], [1], [0, 3, 2]]
    assert inference_batches([], batch_tokens=10) == []
    assert training_steps([], batch_size=2, batch_tokens=10, seed=0, epoch=0) == []


def test_budgets_that_cannot_be() -> None:
    with pytest.raises(UsageError, match="a batch of at most 0 tokens"):
        inference_batches([3], batch_tokens=0)
    with pytest.raises(UsageError, match="a step of 0 examples"):
        training_steps([3], batch_size=0, batch_tokens=8, seed=0, epoch=0)
