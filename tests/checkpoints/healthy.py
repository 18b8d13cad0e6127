"""A small good model in every format, for tests that break it."""

from __future__ import annotations

import shutil
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import safetensors.torch
import torch

from albertkit.checkpoints import FORMATS, Checkpoint
from albertkit.checkpoints.shapes import encoder_shapes, head_shapes
from albertkit.config import AlbertConfig

TWO_BY_TWO = AlbertConfig(
    vocab_size=23,
    embedding_size=4,
    hidden_size=6,
    num_hidden_layers=4,
    num_hidden_groups=2,
    inner_group_num=2,
    num_attention_heads=2,
    intermediate_size=7,
    max_position_embeddings=9,
)
"""Two groups of two layers; every width is different."""

NO_PROJECTION = replace(TWO_BY_TWO, embedding_size=6, num_hidden_groups=1, num_hidden_layers=3)
"""Embeddings as wide as the layers."""


def random_checkpoint(
    config: AlbertConfig = TWO_BY_TWO, *heads: str, outputs: int = 3, dtype: torch.dtype = torch.float32
) -> Checkpoint:
    """A model of random numbers, the same at each call."""
    shapes = encoder_shapes(config)
    for head in heads:
        shapes |= head_shapes(config, head, outputs)
    draw = torch.Generator().manual_seed(5)
    state = {name: torch.randn(shape, generator=draw).to(dtype) for name, shape in shapes.items()}
    return Checkpoint(config, state, source_format="made", source="made here")


def written(name: str, checkpoint: Checkpoint, folder: Path) -> Path:
    """Write a model in a format; return the folder or file."""
    target = folder / "model"
    if FORMATS[name].writes == "file":
        target = folder / f"model.{name}"
    else:
        target.mkdir(parents=True)
    FORMATS[name].write(checkpoint, target)
    return target


def _huggingface(folder: Path) -> Path:
    return written("huggingface", random_checkpoint(TWO_BY_TWO, "mlm", "sop"), folder)


def _pytorch(folder: Path) -> Path:
    model = _huggingface(folder)
    torch.save(safetensors.torch.load_file(model / "model.safetensors"), model / "pytorch_model.bin")
    (model / "model.safetensors").unlink()
    return model


def _pytorch_of_old(folder: Path) -> Path:
    model = _pytorch(folder)
    tensors = torch.load(model / "pytorch_model.bin", weights_only=True)
    torch.save(tensors, model / "pytorch_model.bin", _use_new_zipfile_serialization=False)
    return model


def _tf1(folder: Path) -> Path:
    return written("tf1", random_checkpoint(TWO_BY_TWO, "mlm", "sop"), folder)


def _hub1(folder: Path) -> Path:
    model = _tf1(folder)
    module = folder / "module"
    (module / "variables").mkdir(parents=True)
    (module / "assets").mkdir()
    (module / "tfhub_module.pb").write_bytes(b"\x08\x03")
    shutil.copy(model / "albert_config.json", module / "assets" / "albert_config.json")
    for path in model.glob("model.ckpt-best.*"):
        if path.suffix != ".meta":
            shutil.copy(path, module / "variables" / path.name.replace("model.ckpt-best", "variables"))
    return module


def _tfhub2(folder: Path) -> Path:
    from tests.checkpoints.tensorflow.saved_models import healthy_saved_model

    return healthy_saved_model(folder)


def _keras(folder: Path) -> Path:
    return written("keras", random_checkpoint(), folder)


def _bson(folder: Path) -> Path:
    return written("bson", random_checkpoint(TWO_BY_TWO, "mlm", "sop"), folder)


def _tar(folder: Path) -> Path:
    model = _tf1(folder)
    with tarfile.open(folder / "model.tar.gz", "w:gz") as archive:
        archive.add(model, "albert_tiny")
    return folder / "model.tar.gz"


def _zip(folder: Path) -> Path:
    model = _tf1(folder)
    with zipfile.ZipFile(folder / "model.zip", "w") as archive:
        for path in sorted(model.iterdir()):
            archive.write(path, f"albert_tiny/{path.name}")
    return folder / "model.zip"


HEALTHY: Mapping[str, Callable[[Path], Path]] = {
    "huggingface": _huggingface,
    "pytorch": _pytorch,
    "pytorch-of-old": _pytorch_of_old,
    "tf1": _tf1,
    "hub1": _hub1,
    "tfhub2": _tfhub2,
    "keras": _keras,
    "bson": _bson,
    "tar": _tar,
    "zip": _zip,
}
"""Format -> function that makes a good model in a folder and returns its path."""
