"""How the rows of a micro-batch are laid out, and attention within one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from albertkit.batching.batch import Batch, Sequence
from albertkit.encoder.micro_batch import MicroBatch, attend


def batch_of(*lengths: int) -> Batch:
    return Batch.pack(Sequence(np.arange(length), np.zeros(length, np.int64)) for length in lengths)


def test_a_worked_example() -> None:
    micro_batch = MicroBatch.of(batch_of(9, 5, 3, 3), dtype=torch.bfloat16)
    assert micro_batch.rows == 32
    found = [(group.row, group.sequences, group.length, group.keys, group.begin) for group in micro_batch.groups]
    assert found == [(0, 1, 9, 16, 0), (9, 1, 5, 16, 1), (14, 2, 3, 3, 2)]


def test_keys_never_lie_outside_the_rows() -> None:
    random = np.random.RandomState(7)
    for _ in range(20):
        batch = batch_of(*sorted(random.randint(1, 60, 17), reverse=True))
        for dtype in (torch.float32, torch.bfloat16):
            micro_batch = MicroBatch.of(batch, dtype=dtype)
            assert batch.tokens <= micro_batch.rows < batch.tokens + 64
            assert sum(group.sequences for group in micro_batch.groups) == len(batch)
            for group in micro_batch.groups:
                last = group.row + (group.sequences - 1) * group.length
                assert group.length <= group.keys <= micro_batch.rows - last


@pytest.mark.parametrize("first_only", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_attention_is_that_of_each_sequence_alone(dtype: torch.dtype, first_only: bool) -> None:
    micro_batch = MicroBatch.of(batch_of(21, 16, 13, 7, 7, 1), dtype=dtype)
    assert any(group.keys > group.length for group in micro_batch.groups)
    torch.manual_seed(5)
    heads, size = 2, 8
    rows = torch.randn(micro_batch.rows, 3, heads * size).to(dtype)
    query, key, value = rows.flatten(1).chunk(3, dim=1)
    if first_only:
        query = query[micro_batch.batch.starts].contiguous()
    for group in micro_batch.groups:
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
