"""A tiny model of ours in KerasHub's format, and ways to look at it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from albertkit.checkpoints import Checkpoint, read_checkpoint
from albertkit.checkpoints.kerashub.keras import KERAS
from albertkit.checkpoints.shapes import encoder_shapes, head_shapes
from albertkit.config import AlbertConfig
from albertkit.errors import CheckpointError, ConfigError

CONFIG = AlbertConfig(
    vocab_size=31,
    embedding_size=5,
    hidden_size=14,
    num_hidden_layers=6,
    num_attention_heads=2,
    intermediate_size=11,
    max_position_embeddings=13,
    classifier_dropout_prob=0.07,
)
TWO_BY_TWO = {"num_hidden_groups": 2, "inner_group_num": 2}
IDS = np.array([[2, 7, 19, 30, 3], [2, 23, 3, 0, 0]])


def tiny(*heads: str, dtype: torch.dtype = torch.float32, **values: Any) -> Checkpoint:
    """A checkpoint of ours; every tensor is random."""
    config = replace(CONFIG, **values)
    shapes = encoder_shapes(config)
    for head in heads:
        shapes |= head_shapes(config, head, 3)
    generator = torch.Generator().manual_seed(23)
    state = {name: torch.randn(shape, generator=generator).mul(0.3).to(dtype) for name, shape in shapes.items()}
    return Checkpoint(config, state, source_format="made", source="made here")


def written(checkpoint: Checkpoint, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    KERAS.write(checkpoint, folder)
    return folder


def refusal(folder: Path) -> str:
    with pytest.raises((CheckpointError, ConfigError)) as caught:
        read_checkpoint(folder)
    return str(caught.value)


def change_json(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))
