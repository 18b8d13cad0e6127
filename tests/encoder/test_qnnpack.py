"""QNNPACK's products against whole numbers in fp64; PyTorch has them on x86, too."""

from __future__ import annotations

import pytest
import torch
from tests.encoder.test_fbgemm import (
    SHAPES,
    assert_ends_hold,
    assert_factors_help,
    assert_rows_are_near,
    in_whole_numbers,
    random,
)

from albertkit.encoder.qnnpack import LEVELS, QnnpackLinear, QnnpackWeight
from albertkit.hardware.processor import capabilities

pytestmark = pytest.mark.skipif(not capabilities().qnnpack, reason="this PyTorch has no QNNPACK")


@pytest.mark.parametrize(("rows", "width", "out"), SHAPES)
@pytest.mark.parametrize(("low", "high"), [(-4.0, 4.0), (-0.17, 5.0)])
def test_it_is_what_whole_numbers_give(rows: int, width: int, out: int, low: float, high: float) -> None:
    hidden, weight, bias = random(rows, width, out)
    hidden = hidden.clamp(low, high)
    found = QnnpackLinear(QnnpackWeight(weight, bias), low=low, high=high)(hidden)
    # An input half way between two steps may be rounded to either.
    assert_rows_are_near(found, in_whole_numbers(hidden, weight, bias, low=low, high=high, levels=LEVELS), share=5e-3)
    assert_rows_are_near(found, hidden.double() @ weight.double().T + bias, share=0.05)


@pytest.mark.parametrize("size", [1.0, 1e4])
def test_it_saturates_nowhere(size: float) -> None:
    """Largest inputs meet largest weights."""
    hidden = torch.full((5, 64), size)
    hidden[1::2] = -size
    weight, bias = torch.full((16, 64), size), torch.ones(16)
    found = QnnpackLinear(QnnpackWeight(weight, bias), low=-size, high=size)(hidden)
    wanted = hidden.double() @ weight.double().T + bias
    torch.testing.assert_close(found.double(), wanted, rtol=0, atol=64 * size * size / 63 + 1e-3)


def test_inputs_outside_the_range_count_as_its_ends() -> None:
    assert_ends_hold(QnnpackWeight, QnnpackLinear, end=1.0)


def test_factors_even_the_inputs_out() -> None:
    assert_factors_help(QnnpackWeight, QnnpackLinear)


def test_a_row_does_not_depend_on_its_neighbours() -> None:
    """PyTorch's operator measures the range of all rows of a call."""
    hidden, weight, bias = random(13, 64, 48)
    hidden[7] *= 1000
    product = QnnpackLinear(QnnpackWeight(weight, bias), low=-4.0, high=4.0)
    assert torch.equal(product(hidden), torch.cat([product(row[None]) for row in hidden]))


def test_depths_share_a_weight() -> None:
    hidden, weight, bias = random(11, 32, 48)
    shared = QnnpackWeight(weight, bias)
    ranges = [(-4.0, 4.0), (-1.0, 2.0)]
    together = [QnnpackLinear(shared, low=low, high=high) for low, high in ranges]
    for _ in range(2):
        for product, (low, high) in zip(together, ranges, strict=True):
            own = QnnpackLinear(QnnpackWeight(weight, bias), low=low, high=high)
            assert torch.equal(product(hidden), own(hidden))
