"""The tiny network with both heads of pretraining, saved."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import torch
from tests.tiny import CONFIG

from albertkit.encoder.encoder import Encoder
from albertkit.models.loaded import Model
from albertkit.models.pretrained import save_model
from albertkit.tasks.network import Network, pretraining_heads
from albertkit.text.tokenizer import Tokenizer


@cache
def _parent() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="albertkit-pretrained-")  # removed when the process ends


@cache
def pretrained_folder() -> Path:
    """A saved model folder; made once, never written to."""
    torch.manual_seed(3)
    network = Network(Encoder(CONFIG), pretraining_heads(CONFIG, ("mlm", "sop")))
    for parameter in network.heads.parameters():
        torch.nn.init.normal_(parameter, std=0.5)  # so that candidates differ by more than rounding
    folder = Path(_parent().name) / "pretrained"
    save_model(Model(network, Tokenizer.official()), folder)
    return folder
