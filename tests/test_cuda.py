"""What a GPU computes is what the processor computes (`pytest -m gpu`); skipped where torch sees no GPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from albertkit.batching.batch import Batch
from albertkit.batching.batch import Sequence as TokenSequence
from albertkit.config import AlbertConfig
from albertkit.data.pretraining.batches import PretrainingBatch
from albertkit.encoder.encoder import Encoder, EncoderOutput
from albertkit.encoder.kernels import attends_packed
from albertkit.hardware.device import Execution
from albertkit.tasks.network import Network, pretraining_heads
from albertkit.tasks.pretraining.objective import PretrainingObjective
from albertkit.training.finetune import finetune
from albertkit.training.settings import FinetuneSettings

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA GPU"),
]

CONFIG = AlbertConfig(
    vocab_size=100, embedding_size=16, hidden_size=64, num_hidden_layers=3, num_attention_heads=4, intermediate_size=96
)
CPU, GPU = Execution("cpu", "fp32", 1), Execution("cuda", "fp32", 1)
HALF = Execution("cuda", "bf16", 1)


def ragged(lengths: tuple[int, ...] = (40, 3, 17, 80, 1)) -> Batch:
    random = np.random.default_rng(0)
    return Batch.pack(
        [TokenSequence(random.integers(5, 100, length), np.zeros(length, np.int64)) for length in lengths]
    )


def encoded(encoder: Encoder, batch: Batch, execution: Execution) -> tuple[torch.Tensor, torch.Tensor]:
    encoder.to(execution.torch_device)
    with execution.autocast():
        output = encoder(batch)
    assert isinstance(output, EncoderOutput)
    return output.sequence_output.float().cpu(), output.pooled_output.float().cpu()


def test_encoder_in_fp32_and_packed_in_bf16() -> None:
    torch.manual_seed(0)
    encoder = Encoder(CONFIG).eval()
    with torch.no_grad():
        expected = encoded(encoder, ragged(), CPU)
        for execution, tolerance in ((GPU, 1e-4), (HALF, 6e-2)):
            for found, wanted in zip(encoded(encoder, ragged(), execution), expected, strict=True):
                torch.testing.assert_close(found, wanted, atol=tolerance, rtol=0)
        with HALF.autocast():
            packed = attends_packed(encoder.pooler.weight, size=16, dropout=0.0)
        assert packed == (torch.cuda.get_device_capability() >= (8, 0))


def pretraining_losses(execution: Execution) -> tuple[list[float], dict[str, torch.Tensor]]:
    torch.manual_seed(1)
    network = Network(Encoder(CONFIG), pretraining_heads(CONFIG, ("mlm", "sop"))).to(execution.torch_device)
    batch = PretrainingBatch(
        ragged(), np.array([1, 5, 41, 60, 139]), np.array([7, 8, 9, 10, 11]), np.array([0, 1, 0, 1, 1])
    )
    with execution.autocast():
        losses = PretrainingObjective(network)(batch)
    (losses.mlm + losses.sop).backward()
    numbers = [float(value.detach()) for value in losses[:4]]
    return numbers, {name: one.grad.cpu() for name, one in network.named_parameters() if one.grad is not None}


def test_pretraining_losses_and_gradients() -> None:
    expected, slopes = pretraining_losses(CPU)
    found, found_slopes = pretraining_losses(GPU)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    for name, slope in slopes.items():
        torch.testing.assert_close(found_slopes[name], slope, atol=1e-4, rtol=1e-3)
    half, half_slopes = pretraining_losses(HALF)
    np.testing.assert_allclose(half[:2], expected[:2], rtol=2e-2)
    for name, slope in slopes.items():
        assert (half_slopes[name] - slope).norm() <= 0.1 * slope.norm() + 1e-2, name


TABLES = {
    "classification": "text,label\n" + "a fine film,good\na dull film,bad\n" * 20,
    "regression": "text,label\n" + "a fine film,1.5\na dull film,0.5\n" * 20,
    "multilabel": "text,label\n" + "a fine film,good|long\na dull film,bad\n" * 20,
}


@pytest.mark.parametrize("task", TABLES)
@pytest.mark.parametrize("frozen", [False, True])
def test_finetune(tmp_path: Path, task: str, frozen: bool) -> None:
    table = tmp_path / "table.csv"
    table.write_text(TABLES[task])
    report = finetune(
        FinetuneSettings(
            model="albert-nano",
            data=str(table),
            out=str(tmp_path / "run"),
            task=task,
            freeze_encoder=frozen,
            epochs=2,
            validation=0.2,
            device="cuda",
            baseline=False,
        )
    )
    assert all(np.isfinite(value) for value in report.metrics.values())
