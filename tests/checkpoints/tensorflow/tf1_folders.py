"""TF1 checkpoints made up here, ways to break them, and what our network computes of a recorded batch."""

from __future__ import annotations

import json
import random
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from albertkit.checkpoints import Checkpoint, ReadOptions
from albertkit.checkpoints.checkpoint import READ_AS_IT_IS
from albertkit.checkpoints.shapes import encoder_shapes, head_shapes
from albertkit.checkpoints.tensorflow.tensor_bundle import read_bundle
from albertkit.checkpoints.tensorflow.tensor_bundle_writer import write_bundle
from albertkit.checkpoints.tensorflow.tf1 import TF1
from albertkit.config import AlbertConfig
from albertkit.data.arrays import read_padded_batch
from albertkit.encoder.encoder import Encoder
from albertkit.errors import AlbertkitError, CheckpointError, ConfigError
from albertkit.hardware.device import choose_execution
from albertkit.inference.pytorch import PyTorchRuntime
from albertkit.tasks.network import Network, pretraining_heads

SIZES: dict[str, Any] = {
    "vocab_size": 31,
    "embedding_size": 5,
    "hidden_size": 14,
    "num_hidden_layers": 5,
    "num_hidden_groups": 2,
    "inner_group_num": 2,
    "num_attention_heads": 2,
    "intermediate_size": 11,
    "max_position_embeddings": 13,
    "hidden_act": "gelu_new",
}
NAME = "model.ckpt-best"


def made(*heads: str, labels: int = 3, dtype: torch.dtype = torch.float32, **values: Any) -> Checkpoint:
    """A checkpoint whose every tensor is random: 2 groups of 2 layers unless said otherwise."""
    config = AlbertConfig(**{**SIZES, **values})
    shapes = encoder_shapes(config)
    for head in heads:
        shapes |= head_shapes(config, head, labels)
    generator = torch.Generator().manual_seed(23)
    state = {name: torch.randn(shape, generator=generator).to(dtype) for name, shape in shapes.items()}
    return Checkpoint(config, state, source_format="made", source="made here")


def written(folder: Path, checkpoint: Checkpoint) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    TF1.write(checkpoint, folder)
    return folder


def variables(folder: Path, name: str = NAME) -> dict[str, torch.Tensor]:
    bundle = read_bundle(folder / name)
    return {each: bundle.tensor(each).clone() for each in bundle.entries}


def change_variables(folder: Path, change: Callable[[dict[str, torch.Tensor]], object], name: str = NAME) -> None:
    tensors = variables(folder)
    change(tensors)
    write_bundle(folder / name, tensors)


def change_config(folder: Path, **values: Any) -> None:
    path = folder / "albert_config.json"
    kept = {**json.loads(path.read_text()), **values}
    path.write_text(json.dumps({key: value for key, value in kept.items() if value is not ...}))


def largest_differences(checkpoint: Checkpoint, recorded: Path) -> dict[str, float]:
    """Run our network on the recorded batch; name of output -> largest difference from what was recorded."""
    network = Network(Encoder(checkpoint.config), pretraining_heads(checkpoint.config, checkpoint.heads))
    network.take_canonical(checkpoint.state)
    batch, mask = read_padded_batch(recorded)
    with np.load(recorded) as arrays:
        expected = {name: arrays[name] for name in arrays.files}
    outputs = ["sequence_output", "pooled_output", "mlm_logits", "sop_logits"]
    found = PyTorchRuntime(network, execution=choose_execution(device="cpu", precision="fp32", threads=1)).run(
        batch, outputs=outputs
    )
    by_token = ("sequence_output", "mlm_logits")
    return {
        name: float(np.abs(value - (expected[name][mask.astype(bool)] if name in by_token else expected[name])).max())
        for name, value in found.items()
    }


@contextmanager
def memory_limited_to(extra: int) -> Iterator[None]:
    """Refuse allocations beyond `extra` bytes on top of what the process has now."""
    own = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (own + extra, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def mutations(content: bytes, *, count: int, seed: int) -> Iterator[bytes]:
    """Damaged copies: bytes replaced, cut off, doubled, taken out, numbers made large."""
    generator = random.Random(seed)
    for _ in range(count):
        data = bytearray(content)
        place = generator.randrange(len(data))
        kind = generator.randrange(5)
        if kind == 0:
            for _ in range(generator.randint(1, 8)):
                data[generator.randrange(len(data))] = generator.randrange(256)
        elif kind == 1:
            del data[place:]
        elif kind == 2:
            data[place:place] = data[place : place + generator.randint(1, 100)]
        elif kind == 3:
            del data[place : place + generator.randint(1, 20)]
        else:
            data[place : place + 5] = b"\xff\xff\xff\xff\x7f"
        yield bytes(data)


def outcome(read: Callable[[], object]) -> str:
    """Run a reader of a possibly damaged file: `fine`, or the class of an error meant for users, within 2 seconds."""
    started = time.perf_counter()
    try:
        with memory_limited_to(500 << 20):
            read()
        return "fine"
    except (CheckpointError, ConfigError) as error:
        return type(error).__name__
    finally:
        assert time.perf_counter() - started < 2


def refusal(path: Path, options: ReadOptions = READ_AS_IT_IS) -> str:
    """The sentence with which a checkpoint is refused, within 500 MB."""
    with memory_limited_to(500 << 20), pytest.raises(AlbertkitError) as caught:
        TF1.read(path, options)
    assert type(caught.value) in (CheckpointError, ConfigError)
    return str(caught.value)


def unwritten(checkpoint: Checkpoint, target: Path) -> str:
    """The sentence with which a checkpoint is not written; nothing is left."""
    with pytest.raises(CheckpointError) as caught:
        TF1.write(checkpoint, target)
    assert "\n" not in str(caught.value)
    assert list(target.iterdir()) == []
    return str(caught.value)
