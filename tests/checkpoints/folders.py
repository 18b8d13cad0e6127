"""Hugging Face folders of a tiny model of ours, and ways to break them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from albertkit.checkpoints import Checkpoint, read_checkpoint
from albertkit.checkpoints.shapes import encoder_shapes, head_shapes
from albertkit.config import AlbertConfig
from albertkit.errors import CheckpointError

CONFIG = AlbertConfig(
    vocab_size=31,
    embedding_size=5,
    hidden_size=14,
    num_hidden_layers=3,
    num_attention_heads=2,
    intermediate_size=11,
    max_position_embeddings=13,
)


def made(*heads: str) -> Checkpoint:
    shapes = encoder_shapes(CONFIG)
    for head in heads:
        shapes |= head_shapes(CONFIG, head, 3)
    state = {name: torch.full(shape, 0.5) + index for index, (name, shape) in enumerate(shapes.items())}
    return Checkpoint(CONFIG, state, source_format="made", source="made here")


def change_config(folder: Path, **values: Any) -> None:
    path = folder / "config.json"
    kept = {**json.loads(path.read_text()), **values}
    path.write_text(json.dumps({key: value for key, value in kept.items() if value is not ...}))


def change_weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    path = folder / "model.safetensors"
    tensors = {name: tensor.clone() for name, tensor in safetensors.torch.load_file(path).items()}
    change(tensors)
    safetensors.torch.save_file(tensors, path, metadata={"format": "pt"})


def refusal(folder: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(folder)
    return str(caught.value)
