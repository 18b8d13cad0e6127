"""Load what pretraining or distillation starts from: a configuration by name or file, and the pretraining heads."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from albertkit.config import PUBLISHED, AlbertConfig, published_config
from albertkit.models.loaded import Model
from albertkit.tasks.network import Network, pretraining_heads

HEADS = ("mlm", "sop")


def config_of(name: str) -> AlbertConfig:
    """Return the configuration of a known model, or of a config.json.

    Raises:
        UsageError, ConfigError: an unknown name, or a file that is no configuration.
    """
    is_path = name.endswith(".json") and name not in PUBLISHED
    return AlbertConfig.from_file(name) if is_path else published_config(name)


def with_pretraining_heads(model: Model, heads: Sequence[str], *, seed: int) -> tuple[Network, tuple[str, ...]]:
    """Return the network with exactly these of `HEADS`, fresh where the model has none, and a note on fresh ones.

    Args:
        model: what to start from.
        heads: names of the heads that are trained.
        seed: random seed of fresh ones.
    """
    missing = tuple(name for name in heads if name not in model.network.heads)
    torch.manual_seed(seed)
    there = {**dict(model.network.heads), **pretraining_heads(model.config, missing)}
    notes = (f"{model.source} has no {' and '.join(missing)} head: adding a new, untrained one",) if missing else ()
    return Network(model.network.encoder, {name: there[name] for name in heads}), notes
