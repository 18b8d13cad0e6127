"""How a batch is cut into strips, and attention within one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from albertkit.batching.batch import Batch, Sequence
from albertkit.encoder.strips import attend, cut


def batch_of(*lengths: int) -> Batch:
    return Batch.pack(Sequence(np.arange(length), np.zeros(length, np.int64)) for length in lengths)


def test_a_worked_example() -> None:
    first, second = cut(batch_of(3, 5, 3, 9), max_tokens=14)
    assert (first.sequences.tolist(), second.sequences.tolist()) == ([3, 1], [0, 2])
    assert first.source.tolist() == [11, 12, 13, 14, 15, 16, 17, 18, 19, 3, 4, 5, 6, 7]
    assert second.source.tolist() == [0, 1, 2, 8, 9, 10]
    assert (first.rows, second.rows) == (16, 16)
    assert first.starts.tolist() == [0, 9]
    assert [(group.row, group.sequences, group.length) for group in second.groups] == [(0, 2, 3)]


def test_every_row_stands_in_one_strip() -> None:
    random = np.random.RandomState(7)
    batch = batch_of(*random.randint(1, 60, 101), 700)
    strips = cut(batch, max_tokens=256)
    assert sorted(np.concatenate([strip.source for strip in strips])) == list(range(batch.tokens))
    assert sorted(np.concatenate([strip.sequences for strip in strips])) == list(range(len(batch)))
    assert all(strip.tokens <= 256 or len(strip.sequences) == 1 for strip in strips)
    for strip in strips:
        assert strip.tokens <= strip.rows < strip.tokens + 64
        assert (strip.source[strip.starts] == batch.starts[strip.sequences]).all()
        for group in strip.groups:
            last = group.row + (group.sequences - 1) * group.length
            assert group.length <= group.keys <= strip.rows - last


@pytest.mark.parametrize("first_only", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_attention_is_that_of_each_sequence_alone(dtype: torch.dtype, first_only: bool) -> None:
    (strip,) = cut(batch_of(7, 16, 7, 21, 1, 13), max_tokens=100)
    assert any(group.keys > group.length for group in strip.groups)
    torch.manual_seed(5)
    heads, size = 2, 8
    rows = torch.randn(strip.rows, 3, heads * size).to(dtype)
    query, key, value = rows.flatten(1).chunk(3, dim=1)
    if first_only:
        query = query[strip.starts].contiguous()
    for group in strip.groups:
        found = attend(query, key, value, group, heads=heads, first_only=first_only)
        for number in range(group.sequences):
            begin = group.row + number * group.length
            own = rows[begin : begin + group.length].double().view(group.length, 3, heads, size)
            asked = own[: 1 if first_only else None, 0]
            weights = torch.einsum("qhd,khd->hqk", asked, own[:, 1]).div(size**0.5).softmax(-1)
            wanted = torch.einsum("hqk,khd->hqd", weights, own[:, 2])
            torch.testing.assert_close(
                found[number].double(), wanted, rtol=0, atol=3e-2 if dtype.itemsize == 2 else 2e-6
            )
