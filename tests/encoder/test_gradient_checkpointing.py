"""Layers that run again on the way back: the same numbers, less kept."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from albertkit.batching.batch import Batch
from albertkit.config import AlbertConfig
from albertkit.encoder.encoder import Encoder, EncoderOutput

CONFIG = AlbertConfig(
    vocab_size=29,
    embedding_size=5,
    hidden_size=14,
    num_hidden_layers=3,
    num_attention_heads=2,
    intermediate_size=23,
    max_position_embeddings=11,
    hidden_act="gelu_new",
)


def gradients(*, checkpointing: bool, dropout: float, bf16: bool) -> tuple[dict[str, Tensor], int]:
    """Return the gradients by name, and the bytes kept from the way there for the way back."""
    torch.manual_seed(3)
    encoder = Encoder(CONFIG.with_dropout(dropout)).train()
    encoder.gradient_checkpointing = checkpointing
    lengths = np.array([7, 5, 2])
    positions = np.concatenate([np.arange(length) for length in lengths])
    batch = Batch(np.arange(14) % 29, np.zeros(14, np.int64), positions, lengths)
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        torch.manual_seed(4)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            output = encoder(batch)
    assert isinstance(output, EncoderOutput)
    before = sum(kept.values())
    (output.pooled_output.float().square().sum() + output.sequence_output.float().square().sum()).backward()
    return {name: p.grad for name, p in encoder.named_parameters() if p.grad is not None}, before


@pytest.mark.parametrize(("dropout", "bf16"), [(0.0, False), (0.3, False), (0.0, True)])
def test_gradients_are_the_same_and_less_is_kept(dropout: float, bf16: bool) -> None:
    plain, kept_plain = gradients(checkpointing=False, dropout=dropout, bf16=bf16)
    again, kept_again = gradients(checkpointing=True, dropout=dropout, bf16=bf16)
    assert plain.keys() == again.keys()
    for name, gradient in plain.items():
        torch.testing.assert_close(again[name], gradient, msg=name)
    assert kept_again < kept_plain / 2
