"""Striped cross-entropy against torch's own, over whole strips, parts of one and none."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from albertkit.encoder.linear import linear_forward
from albertkit.tasks.pretraining.cross_entropy import STRIP, masked_cross_entropy

VOCABULARY, EMBEDDING = 101, 13
ROWS = [0, 1, 7, STRIP, STRIP + 1]


def inputs(rows: int, *, seed: int = 5) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Transformed states, table, bias, targets."""
    torch.manual_seed(seed)
    return (
        torch.randn(rows, EMBEDDING, requires_grad=True),
        torch.randn(VOCABULARY, EMBEDDING, requires_grad=True),
        torch.randn(VOCABULARY, requires_grad=True),
        torch.randint(VOCABULARY, (rows,)),
    )


def by_torch(given: tuple[Tensor, Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    logits = F.linear(*given[:3])
    return F.cross_entropy(logits.float(), given[3], reduction="sum"), (logits.argmax(1) == given[3]).sum()


@pytest.mark.parametrize("rows", ROWS)
def test_loss_and_gradients_equal_torchs(rows: int) -> None:
    given = inputs(rows)
    loss, correct = masked_cross_entropy(*given)
    expected, expected_correct = by_torch(given)
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-5)
    assert int(correct) == int(expected_correct)
    got = torch.autograd.grad(loss, given[:3])
    for one, other in zip(got, torch.autograd.grad(expected, given[:3]), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize("rows", ROWS)
def test_bf16_is_as_near_to_fp32_as_torchs_own(rows: int) -> None:
    given = inputs(rows)
    exact, _ = by_torch(given)
    exact_gradients = torch.autograd.grad(exact, given[:3])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        (loss, _), (peer, _) = masked_cross_entropy(*given), by_torch(given)
    assert loss.dtype == torch.float32
    error, peers_error = abs((loss - exact).item()), abs((peer - exact).item())
    assert error <= 2 * peers_error + 0.01 * rows**0.5
    got, theirs = torch.autograd.grad(loss, given[:3]), torch.autograd.grad(peer, given[:3])
    for one, other, right in zip(got, theirs, exact_gradients, strict=True):
        assert one.dtype == torch.float32
        assert float((one - right).norm()) <= 2 * float((other - right).norm()) + 0.01 * float(right.norm())


def test_a_factor_on_the_loss_reaches_the_gradients() -> None:
    given = inputs(7)
    loss, _ = masked_cross_entropy(*given)
    scaled = torch.autograd.grad(loss * 0.37, given[:3])
    plain = torch.autograd.grad(by_torch(given)[0], given[:3])
    for one, other in zip(scaled, plain, strict=True):
        torch.testing.assert_close(one, 0.37 * other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("rows", ROWS)
def test_without_gradients_the_loss_is_the_same(rows: int, precision: str) -> None:
    given = inputs(rows)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16"):
        trained, right = masked_cross_entropy(*given)
        with torch.no_grad():
            scored, still_right = masked_cross_entropy(*given)
    assert trained.requires_grad
    assert not scored.requires_grad
    tolerance = 1e-5 if precision == "fp32" else 2e-3
    torch.testing.assert_close(scored, trained.detach(), rtol=tolerance, atol=tolerance)
    assert int(still_right) == int(right)


def test_scoring_makes_no_gradient() -> None:
    product = 2 * 7 * VOCABULARY * EMBEDDING  # operations
    with FlopCounterMode(display=False) as trained:
        masked_cross_entropy(*inputs(7))
    with FlopCounterMode(display=False) as scored, torch.no_grad():
        masked_cross_entropy(*inputs(7))
    assert (trained.get_total_flops(), scored.get_total_flops()) == (3 * product, product)


def test_a_frozen_table_gets_no_gradient() -> None:
    states, table, bias, targets = inputs(7)
    loss, _ = masked_cross_entropy(states, table.detach(), bias.detach(), targets)
    loss.backward()
    assert states.grad is not None
    expected = torch.autograd.grad(by_torch((states, table, bias, targets))[0], states)[0]
    torch.testing.assert_close(states.grad, expected, rtol=1e-5, atol=1e-5)


def test_of_equal_logits_one_is_the_first_choice() -> None:
    # In bf16 the two largest of some thousand logits are often equal: counting both would flatter the network.
    states, table = torch.ones(3, 1), torch.tensor([[1.0], [3.0], [3.0]])
    for trained in (False, True):
        given = states.clone().requires_grad_(trained), table, torch.zeros(3), torch.tensor([1, 2, 0])
        assert int(masked_cross_entropy(*given)[1]) == 1


def test_bf16_finds_the_first_choices_of_bf16_logits() -> None:
    states, table, bias, _ = inputs(STRIP + 1)
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.no_grad():
        logits = linear_forward(*(part.to(torch.bfloat16) for part in (states, table, bias)))
        _, correct = masked_cross_entropy(states, table, bias, logits.argmax(1))
    assert int(correct) == STRIP + 1
    assert int((logits == logits.amax(1, keepdim=True)).sum()) > STRIP + 1  # there are ties among them


def test_a_sure_and_wrong_network_has_a_finite_loss() -> None:
    states = torch.tensor([[50.0]], requires_grad=True)
    loss, _ = masked_cross_entropy(states, torch.tensor([[1.0], [0.0]]), torch.zeros(2), torch.tensor([1]))
    assert loss.item() == pytest.approx(50, rel=1e-5)
    assert torch.autograd.grad(loss, states)[0].item() == pytest.approx(1, rel=1e-5)
