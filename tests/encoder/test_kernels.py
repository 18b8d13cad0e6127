"""Hand-written gradients against torch's own."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from albertkit.encoder.kernels import attend, distinct_rows, gelu_tanh


def plain_attention(projected: torch.Tensor, heads: int, mask: torch.Tensor | None) -> torch.Tensor:
    n, s, width = projected.shape
    query, key, value = projected.view(n, s, 3, heads, -1).permute(2, 0, 3, 1, 4)
    context = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    return context.transpose(1, 2).reshape(n, s, width // 3)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 0.05)])  # torch's, and ours
def test_attention_equals_torchs(masked: bool, dtype: torch.dtype, tolerance: float) -> None:
    torch.manual_seed(1)
    mask = None
    if masked:
        mask = (torch.arange(7) < torch.tensor([[7], [3], [5]]))[:, None, None, :]
    ours = torch.randn(3, 7, 3 * 2 * 5).to(dtype).requires_grad_()
    theirs = ours.detach().double().requires_grad_()
    weight = torch.randn(3, 7, 10, dtype=torch.float64)
    got, expected = attend(ours, heads=2, mask=mask, dropout=0.0), plain_attention(theirs, 2, mask)
    torch.testing.assert_close(got.double(), expected, atol=tolerance, rtol=tolerance)
    (got * weight).sum().backward()
    (expected * weight).sum().backward()
    torch.testing.assert_close(ours.grad.double(), theirs.grad, atol=tolerance, rtol=tolerance)


def test_attention_without_gradients_and_with_dropout_have_the_same_expectation() -> None:
    torch.manual_seed(2)
    projected = torch.randn(1, 5, 3 * 2 * 3)
    expected = attend(projected, heads=2, mask=None, dropout=0.0)
    trained = projected.clone().requires_grad_()
    draws = torch.stack([attend(trained, heads=2, mask=None, dropout=0.3).detach() for _ in range(4000)])
    torch.testing.assert_close(draws.mean(0), expected, atol=0.06, rtol=0)


def test_distinct_rows_gradient() -> None:
    hidden = torch.randn(7, 3, requires_grad=True)
    rows = torch.tensor([5, 0, 2])
    weight = torch.randn(3, 3)
    (distinct_rows(hidden, rows) * weight).sum().backward()
    expected = torch.zeros(7, 3).index_put((rows,), weight)
    assert torch.equal(hidden.grad, expected)


def test_gelu_and_its_slope_equal_torchs() -> None:
    every = (
        torch.arange(-(2**15), 2**15, dtype=torch.int32).to(torch.int16).view(torch.bfloat16)
    )  # each number there is
    numbers = every[every.isfinite() & (every.abs() < 1e18)]
    numbers = torch.cat([numbers, torch.linspace(-6, 6, 70_001).bfloat16()])  # more than one chunk
    ours, theirs = numbers.clone().requires_grad_(), numbers.double().requires_grad_()
    got, expected = gelu_tanh(ours), F.gelu(theirs, approximate="tanh")
    assert got.dtype == torch.bfloat16
    assert got.grad_fn is not None
    assert "GeluTanh" in type(got.grad_fn).__name__
    torch.testing.assert_close(got.double(), expected, atol=1e-5, rtol=2**-8)
    got.sum().backward()
    expected.sum().backward()
    torch.testing.assert_close(ours.grad.double(), theirs.grad, atol=1e-5, rtol=2**-7)
