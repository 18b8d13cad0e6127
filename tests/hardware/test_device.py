"""Device, precision, threads: what is chosen and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from albertkit.errors import UsageError
from albertkit.hardware.device import Execution, choose_execution, set_seed
from albertkit.hardware.processor import Capabilities
from albertkit.training.finetune import finetune
from albertkit.training.settings import FinetuneSettings


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def able(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor with every kind of product."""
    every = Capabilities(prepacked=True, bf16=True, int8=True, fbgemm=True, vnni=True, qnnpack=True)
    monkeypatch.setattr("albertkit.hardware.device.capabilities", lambda: every)


@pytest.fixture
def unable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor with fp32 products only."""
    none = Capabilities(prepacked=False, bf16=False, int8=False, fbgemm=False, vnni=False, qnnpack=False)
    monkeypatch.setattr("albertkit.hardware.device.capabilities", lambda: none)


@pytest.mark.usefixtures("able")
def test_what_is_asked_for() -> None:
    execution = choose_execution(device="cpu", precision="bf16", threads=1)
    assert (execution.device, execution.precision, execution.threads) == ("cpu", "bf16", 1)
    assert torch.get_num_threads() == 1
    with execution.autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16
    with choose_execution(device="cpu", precision="fp32").autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


@pytest.mark.parametrize(("processor", "precision"), [("able", "bf16"), ("unable", "fp32")])
def test_auto_takes_bf16_where_the_processor_has_it(
    processor: str, precision: str, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue(processor)
    assert choose_execution(device="cpu").precision == precision


@pytest.mark.parametrize(
    ("device", "precision", "threads", "words"),
    [
        ("cpu", "fp8", None, r'unknown precision "fp8" \(known: auto, fp32, bf16, fp16, int8\)'),
        ("gpu", "fp32", None, 'unknown device "gpu"'),
        ("cpu", "fp32", 0, "--threads is 0; it must be 1 or more"),
    ],
)
def test_refusals(device: str, precision: str, threads: int | None, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        choose_execution(device=device, precision=precision, threads=threads)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
def test_a_gpu_that_is_not_here() -> None:
    with pytest.raises(UsageError, match='device "cuda:1" is not available: torch sees no CUDA GPU; use --device cpu'):
        choose_execution(device="cuda:1")


def test_the_seed_is_torch_s() -> None:
    set_seed(5)
    first = torch.rand(3)
    set_seed(5)
    assert torch.equal(first, torch.rand(3))


@pytest.mark.usefixtures("unable")
@pytest.mark.parametrize("precision", ["bf16", "fp16", "int8"])
def test_a_precision_needs_a_processor_that_has_it(precision: str) -> None:
    with pytest.raises(UsageError, match=f"{precision} needs a processor with {precision} products"):
        choose_execution(device="cpu", precision=precision)


def test_fbgemm_gives_fp16_and_int8_without_any_instruction_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    avx2 = Capabilities(prepacked=True, bf16=False, int8=False, fbgemm=True, vnni=True, qnnpack=True)
    monkeypatch.setattr("albertkit.hardware.device.capabilities", lambda: avx2)
    for asked, chosen in (("fp16", "fp16"), ("int8", "int8"), ("auto", "fp32")):
        assert choose_execution(device="cpu", precision=asked).precision == chosen


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_these_pass_no_gradients(precision: str) -> None:
    with pytest.raises(UsageError, match=f"{precision} works only for prediction"):
        Execution("cpu", precision, 1).autocast()
    assert not Execution("cuda", "fp16", 1).predicts_only


@pytest.mark.usefixtures("able")
@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_these_are_not_for_training(precision: str, tmp_path: Path) -> None:
    settings = FinetuneSettings(
        model="albert-nano", data="polarity", out=str(tmp_path / "run"), precision=precision, device="cpu", limit=8
    )
    with pytest.raises(UsageError, match=f"{precision} works only for prediction; train with"):
        finetune(settings)
    assert not (tmp_path / "run").exists()
