"""Plans: every token is in exactly one padded place, groups waste little."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from albertkit.encoder.attention import Attention, plan_attention


def test_equal_lengths_are_a_view() -> None:
    plan = plan_attention(np.array([5, 5, 5]))
    assert plan.to_padded is None
    assert plan.padding is None
    assert [(g.num_sequences, g.length, g.mask) for g in plan.groups] == [(3, 5, None)]


def test_near_equal_lengths_share_a_group() -> None:
    plan = plan_attention(np.array([100, 97, 20, 19]))
    assert [(g.num_sequences, g.length) for g in plan.groups] == [(2, 100), (2, 20)]


@settings(deadline=None)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=40))
def test_there_and_back(lengths: list[int]) -> None:
    plan = plan_attention(np.array(lengths))
    if plan.to_padded is None:
        assert len(set(lengths)) == 1
        return
    packed = torch.arange(sum(lengths))
    padded = packed[plan.to_padded]
    assert torch.equal(padded[plan.to_packed], packed)
    assert len(padded) == sum(group.num_sequences * group.length for group in plan.groups)
    pads = 0 if plan.padding is None else len(plan.padding)
    assert len(padded) - pads == len(packed)
    assert not set(plan.to_packed.tolist()) & (set() if plan.padding is None else set(plan.padding.tolist()))
    for group in plan.groups:
        assert group.num_sequences * group.length - (0 if group.mask is None else int((~group.mask).sum())) > 0


@pytest.mark.parametrize("training", [False, True])
def test_neighbours_do_not_matter(training: bool) -> None:
    torch.manual_seed(0)
    attention = Attention(10, num_heads=2, attention_dropout=0.0, hidden_dropout=0.0, norm_eps=1e-12).train(training)
    lengths = np.array([3, 11, 4, 23, 11])
    hidden = torch.randn(int(lengths.sum()), 10, requires_grad=training)
    together = attention(hidden, plan_attention(lengths), attention.shared())
    row = 0
    for length in lengths:
        alone = attention(hidden[row : row + length], plan_attention(np.array([length])), attention.shared())
        torch.testing.assert_close(together[row : row + length], alone, atol=1e-6, rtol=1e-5)
        row += length
    if training:
        together.square().sum().backward()
        assert torch.isfinite(hidden.grad).all()


def test_spare_rows_reach_no_result_and_no_gradient() -> None:
    torch.manual_seed(0)
    attention = Attention(10, num_heads=2, attention_dropout=0.0, hidden_dropout=0.0, norm_eps=1e-12)
    lengths = np.array([3, 11, 4, 11])
    tokens = int(lengths.sum())
    hidden = torch.randn(tokens, 10)
    gradients = []
    for num_rows in (None, 32):
        attention.zero_grad()
        rows = hidden.clone().requires_grad_()
        filled = rows if num_rows is None else torch.cat([rows, torch.full((num_rows - tokens, 10), 5.0)])
        result = attention(filled, plan_attention(lengths, num_rows=num_rows), attention.shared())[:tokens]
        result.square().sum().backward()
        gradients.append([rows.grad, *(parameter.grad.clone() for parameter in attention.parameters()), result])
    for plain, spare in zip(*gradients, strict=True):
        torch.testing.assert_close(plain, spare, atol=1e-5, rtol=1e-5)
