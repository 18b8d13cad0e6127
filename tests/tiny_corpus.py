"""A small prepared corpus, a network small enough to pretrain on it in a moment, and settings that do so."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from tests.tiny import BAD, CONFIG, FILLER, GOOD

from albertkit.data.corpus.prepare import prepare
from albertkit.text.tokenizer import Tokenizer
from albertkit.training.pretraining.settings import PretrainSettings


@cache
def _parent() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="albertkit-corpus-")  # removed when the process ends


def write_documents(path: Path, *, count: int = 60, seed: int = 5) -> Path:
    """Write documents of sentences that say the same word again and again, so that there is something to learn."""
    random = np.random.RandomState(seed)
    documents = []
    for _ in range(count):
        topic = str(random.choice(GOOD + BAD))
        sentences = []
        for _ in range(random.randint(4, 12)):
            words = [str(random.choice(FILLER)) for _ in range(random.randint(3, 9))]
            words[random.randint(len(words))] = topic
            sentences.append(" ".join(words).capitalize() + ".")
        documents.append(" ".join(sentences))
    path.write_text("\n\n".join(documents), encoding="utf-8")
    return path


@cache
def tiny_shards() -> Path:
    """Shards of the documents; made once, never written to."""
    folder = Path(_parent().name)
    prepare(
        [write_documents(folder / "text.txt")],
        out=folder / "shards",
        tokenizer=Tokenizer.official(),
        max_length=32,
        processes=1,
    )
    return folder / "shards"


@cache
def tiny_config() -> Path:
    """The tiny network's config.json."""
    path = Path(_parent().name) / "config.json"
    path.write_text(json.dumps(CONFIG.to_dict()), encoding="utf-8")
    return path


def settings(out: Path, **changes: Any) -> PretrainSettings:
    """Settings of a short run on one thread."""
    start = PretrainSettings(
        data=str(tiny_shards()),
        out=str(out),
        config=str(tiny_config()),
        steps=12,
        batch_tokens=256,
        learning_rate=5e-3,
        held_out=0.1,
        eval_share=0.25,
        device="cpu",
        precision="fp32",
        threads=1,
    )
    return replace(start, **changes)
