"""FBGEMM's products against plain ones in fp64, with whole numbers for int8."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from albertkit.encoder.fbgemm import LARGEST_WEIGHT, Fp16Linear, Int8Linear, Int8Weight, Product
from albertkit.errors import UsageError
from albertkit.hardware.processor import capabilities

pytestmark = pytest.mark.skipif(not capabilities().fbgemm, reason="no FBGEMM here")
SHAPES = [(1, 32, 48), (11, 37, 53), (130, 256, 64)]
"""Rows, inputs, outputs."""
LEVELS = [127, 255] if capabilities().vnni else [127]
"""Largest rounded inputs whose products this processor can add."""


def random(rows: int, width: int, out: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(rows)
    hidden, weight, bias = (torch.randn(shape, generator=generator) for shape in ((rows, width), (out, width), (out,)))
    return hidden, weight, bias


def in_whole_numbers(hidden: Tensor, weight: Tensor, bias: Tensor, *, low: float, high: float, levels: int) -> Tensor:
    """Return what an int8 product is by its definition, in fp64."""
    scale = torch.tensor((high - low) / levels).double()
    zero = round(-low / float(scale))
    inputs = (hidden.float() / scale.float()).round().double().add(zero).clamp(0, levels) - zero
    scales = weight.abs().amax(1, keepdim=True).clamp_min(1e-12) / LARGEST_WEIGHT
    whole = (weight / scales).round().double()
    return inputs @ whole.T * scale * scales.T.double() + bias.double()


def assert_rows_are_near(found: Tensor, wanted: Tensor, *, share: float) -> None:
    """The error of each row is at most this share of the row."""
    errors = (found.double() - wanted.double()).norm(dim=1) / wanted.double().norm(dim=1)
    assert float(errors.max()) < share


@pytest.mark.parametrize(("rows", "width", "out"), SHAPES)
def test_fp16_rounds_only_the_weight(rows: int, width: int, out: int) -> None:
    hidden, weight, bias = random(rows, width, out)
    found = Fp16Linear(weight, bias)(hidden)
    assert_rows_are_near(found, hidden.double() @ weight.half().double().T + bias, share=1e-5)
    assert_rows_are_near(found, hidden.double() @ weight.double().T + bias, share=1e-3)


@pytest.mark.parametrize("large", [65504.0, -65504.0])
def test_fp16_holds_large_weights_or_says_that_it_cannot(large: float) -> None:
    hidden, weight, bias = random(3, 32, 48)
    weight[5, 7] = large
    assert_rows_are_near(Fp16Linear(weight, bias)(hidden), hidden.double() @ weight.half().double().T, share=1e-3)
    for too_large in (2 * large, float("inf"), float("nan")):
        weight[5, 7] = too_large
        with pytest.raises(UsageError, match="and fp16 holds numbers up to 65504: use --precision fp32"):
            Fp16Linear(weight, bias)


@pytest.mark.parametrize(("rows", "width", "out"), SHAPES)
@pytest.mark.parametrize(("low", "high"), [(-4.0, 4.0), (-0.17, 5.0)])
@pytest.mark.parametrize("levels", LEVELS)
def test_int8_is_what_whole_numbers_give(rows: int, width: int, out: int, low: float, high: float, levels: int) -> None:
    hidden, weight, bias = random(rows, width, out)
    hidden = hidden.clamp(low, high)
    found = Int8Linear(Int8Weight(weight, bias), low=low, high=high, levels=levels)(hidden)
    # An input half way between two steps may be rounded to either.
    assert_rows_are_near(found, in_whole_numbers(hidden, weight, bias, low=low, high=high, levels=levels), share=5e-3)
    assert_rows_are_near(found, hidden.double() @ weight.double().T + bias, share=0.05)


@pytest.mark.parametrize("levels", LEVELS)
@pytest.mark.parametrize("size", [1.0, 1e4])
@pytest.mark.parametrize("signs", ["equal", "in turns", "pairs"])
def test_int8_saturates_nowhere(size: float, signs: str, levels: int) -> None:
    """Largest inputs meet largest weights: two products at a time must fit into 16 bits."""
    hidden = torch.full((5, 64), size)
    hidden[1::2] = -size
    weight = torch.full((16, 64), size)
    if signs != "equal":
        weight[:, 1::2] *= -1
    if signs == "pairs":
        weight, hidden = weight.abs(), hidden * torch.tensor([1.0, 1.0, -1.0, -1.0]).repeat(16)
        weight[8:, 2::4], weight[8:, 3::4] = -size, -size
    bias = torch.ones(16)
    found = Int8Linear(Int8Weight(weight, bias), low=-size, high=size, levels=levels)(hidden)
    wanted = hidden.double() @ weight.double().T + bias
    torch.testing.assert_close(found.double(), wanted, rtol=0, atol=64 * size * size / 63 + 1e-3)


def assert_ends_hold(weight_type: type[Int8Weight], linear_type: Callable[..., Product], *, end: float) -> None:
    """Check that inputs beyond a range of -1 to 1 count as `end`."""
    _, weight, bias = random(3, 32, 48)
    hidden = torch.tensor([[1e6], [-1e6], [3.0]]).expand(3, 32).contiguous()
    product = linear_type(weight_type(weight, bias), low=-1.0, high=1.0)
    torch.testing.assert_close(product(hidden), product(hidden.clamp(-end, end)), rtol=0, atol=0)


def assert_factors_help(weight_type: type[Int8Weight], linear_type: Callable[..., Product]) -> None:
    """Check that with one large input, factors halve the error or do better."""
    hidden, weight, bias = random(11, 32, 48)
    hidden[:, 3] *= 100
    factors = hidden.abs().amax(0).sqrt()
    plain = linear_type(weight_type(weight, bias), low=-300.0, high=300.0)(hidden)
    even = linear_type(weight_type(weight * factors, bias), low=-17.0, high=17.0, factors=factors)(hidden)
    wanted = hidden @ weight.T + bias
    assert float((even - wanted).norm()) < 0.5 * float((plain - wanted).norm())


def test_inputs_outside_the_range_count_as_its_ends() -> None:
    assert_ends_hold(Int8Weight, Int8Linear, end=1.1)


def test_factors_even_the_inputs_out() -> None:
    assert_factors_help(Int8Weight, Int8Linear)


@pytest.mark.parametrize("kind", ["fp16", "int8"])
def test_a_row_does_not_depend_on_its_neighbours(kind: str) -> None:
    hidden, weight, bias = random(13, 64, 48)
    hidden[7] *= 1000
    whole = Int8Weight(weight, bias)
    product = Fp16Linear(weight, bias) if kind == "fp16" else Int8Linear(whole, low=-4.0, high=4.0)
    alone = torch.cat([product(row[None]) for row in hidden])
    torch.testing.assert_close(product(hidden), alone, rtol=1e-5, atol=1e-5)


def test_what_follows_a_product() -> None:
    hidden, weight, bias = random(11, 32, 48)
    product = Fp16Linear(weight, bias)
    plain = product(hidden)
    residual = torch.randn(11, 48)
    assert torch.equal(product.added(hidden, residual), plain + residual)
    assert torch.equal(product.activated(hidden, "relu"), plain.relu())
    assert torch.equal(product.activated(hidden, "gelu_new"), torch.nn.functional.gelu(plain, approximate="tanh"))


def test_the_engine_that_is_set_stays() -> None:
    before = torch.backends.quantized.engine
    hidden, weight, bias = random(3, 32, 48)
    wanted = [Fp16Linear(weight, bias)(hidden), Int8Linear(Int8Weight(weight, bias), low=-4.0, high=4.0)(hidden)]
    try:
        torch.backends.quantized.engine = "qnnpack"
        found = [Fp16Linear(weight, bias)(hidden), Int8Linear(Int8Weight(weight, bias), low=-4.0, high=4.0)(hidden)]
        assert torch.backends.quantized.engine == "qnnpack"
    finally:
        torch.backends.quantized.engine = before
    assert all(map(torch.equal, wanted, found))
