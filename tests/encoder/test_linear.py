"""Linear maps shared by all depths, and their hand-written gradients against torch's own."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from albertkit.encoder.linear import shared_linear, transposed_product

BF16 = {"atol": 0.05, "rtol": 0.02}


def test_bf16_linear_equals_autocasts() -> None:
    torch.manual_seed(3)
    hidden = torch.randn(11, 16, requires_grad=True)
    part = torch.nn.Linear(16, 13)
    weight, bias = part.weight, part.bias
    out = torch.randn(11, 13)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = shared_linear(part)(hidden)
    assert got.dtype == torch.bfloat16
    gradients = torch.autograd.grad((got.float() * out).sum(), (hidden, weight, bias))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        expected = F.linear(hidden, weight, bias)
    torch.testing.assert_close(got, expected, atol=0.05, rtol=0.02)
    reference = torch.autograd.grad((expected.float() * out).sum(), (hidden, weight, bias))
    for one, other in zip(gradients, reference, strict=True):
        assert one.dtype == other.dtype == torch.float32
        torch.testing.assert_close(one, other, atol=0.1, rtol=0.02)


def test_linear_in_fp32_is_torchs_own() -> None:
    hidden, part = torch.randn(3, 5), torch.nn.Linear(5, 7)
    assert torch.equal(shared_linear(part)(hidden), part(hidden))


@pytest.mark.parametrize("bf16", [False, True])
def test_maps_side_by_side_used_twice_equal_each_alone(bf16: bool) -> None:
    torch.manual_seed(6)
    parts = [torch.nn.Linear(16, size) for size in (7, 5)]
    given = [torch.randn(11, 16), torch.randn(3, 16)]
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
        both = shared_linear(*parts)
        got = [both(hidden) for hidden in given]
        expected = [torch.cat([part(hidden) for part in parts], dim=1) for hidden in given]
    for one, other in zip(got, expected, strict=True):
        torch.testing.assert_close(one, other, **BF16)
    weights = [weight for part in parts for weight in part.parameters()]
    gradients = torch.autograd.grad(sum(rows.float().square().sum() for rows in got), weights)
    reference = torch.autograd.grad(sum(rows.float().square().sum() for rows in expected), weights)
    for one, other in zip(gradients, reference, strict=True):
        assert one.dtype == torch.float32
        torch.testing.assert_close(one, other, atol=0.3, rtol=0.03)


@pytest.mark.parametrize(("one", "other"), [(16, 13), (390, 530), (530, 520)])
def test_transposed_products_equal_plain_ones(one: int, other: int) -> None:
    torch.manual_seed(4)
    left, right = torch.randn(23, one).bfloat16(), torch.randn(23, other).bfloat16()
    torch.testing.assert_close(transposed_product(left, right).float(), left.float().t() @ right.float(), **BF16)


def test_wide_bf16_linear_leaves_gradients_laid_out_as_their_weights() -> None:
    torch.manual_seed(5)
    hidden = torch.randn(19, 512, requires_grad=True)
    part = torch.nn.Linear(512, 520)
    torch.nn.init.normal_(part.weight)
    weight, out = part.weight, torch.randn(19, 520)
    for _ in range(2):  # the second gradient is added to the first
        with torch.autocast("cpu", dtype=torch.bfloat16):
            got = shared_linear(part)(hidden)
        (got.float() * out).sum().backward()
    assert weight.grad is not None
    assert weight.grad.is_contiguous()
    assert weight.grad.dtype == torch.float32
    torch.testing.assert_close(weight.grad, 2 * out.t() @ hidden.detach(), atol=0.3, rtol=0.03)
