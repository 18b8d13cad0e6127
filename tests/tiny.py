"""A network small enough to train in a moment, tables that it can learn, a file size limit in place of a full disk."""

from __future__ import annotations

import csv
import os
import resource
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from albertkit.config import AlbertConfig
from albertkit.encoder.encoder import Encoder
from albertkit.hardware.device import Execution, choose_execution
from albertkit.io.html import tag
from albertkit.models.loaded import Model
from albertkit.models.pretrained import save_model
from albertkit.tasks.network import Network
from albertkit.text.tokenizer import Tokenizer
from albertkit.training.settings import FinetuneSettings

CONFIG = AlbertConfig(
    vocab_size=30000,
    embedding_size=8,
    hidden_size=16,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=32,
    max_position_embeddings=64,
    hidden_act="gelu",
    initializer_range=0.3,  # as deep as it is wide enough: fresh weights of 0.02 would say the same of every text
)
GOOD = ("splendid", "wonderful", "brilliant", "charming", "delightful")
BAD = ("dreadful", "terrible", "boring", "clumsy", "tedious")
FILLER = "the a film plot actor scene story it was is and with of in one two three very quite rather".split()


SEED = int(os.environ.get("ALBERTKIT_TEST_SEED", "0"))
"""Added to the seeds of trainings: tests marked `learning` must pass with any (CONTRIBUTING.md)."""
THREADS = int(os.environ.get("ALBERTKIT_TEST_THREADS", "1"))


def execution() -> Execution:
    """Full precision, and one thread unless asked otherwise: the same numbers at every run."""
    return choose_execution(device="cpu", precision="fp32", threads=THREADS)


def tiny_network(*, seed: int = 7, config: AlbertConfig = CONFIG) -> Network:
    """An encoder without heads, with fresh weights by seed."""
    torch.manual_seed(seed + SEED)
    return Network(Encoder(config), {})


@cache
def _parent() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="albertkit-tiny-")  # removed when the process ends


@cache
def tiny_folder() -> Path:
    """A saved model folder with the tiny network and the official tokenizer; made once, never written to."""
    folder = Path(_parent().name) / "tiny"
    save_model(Model(tiny_network(), Tokenizer.official()), folder)
    return folder


@cache
def keyword_folder() -> Path:
    """The same, but pieces of good and of bad words start apart, as in a pretrained network.

    So trainings on `keyword_rows` need no lucky seed.
    """
    tokenizer, network = Tokenizer.official(), tiny_network()
    apart = torch.randn(CONFIG.embedding_size, generator=torch.Generator().manual_seed(5)) / 2
    with torch.no_grad():
        for sign, words in ((1, GOOD), (-1, BAD)):
            network.encoder.embeddings.word.weight[np.unique(tokenizer(words).input_ids)] += sign * apart
    folder = Path(_parent().name) / "keywords"
    save_model(Model(network, tokenizer), folder)
    return folder


def keyword_rows(count: int, *, seed: int = 3) -> list[tuple[str, str]]:
    """(text, label): one word among fillers says which label it is; both labels are equally frequent."""
    random = np.random.RandomState(seed)
    rows = []
    for number in range(count):
        words = [str(random.choice(FILLER)) for _ in range(random.randint(2, 9))]
        words.insert(random.randint(len(words) + 1), str(random.choice(GOOD if number % 2 else BAD)))
        rows.append((" ".join(words), "good" if number % 2 else "bad"))
    return rows


def write_csv(path: Path, rows: Sequence[Sequence[Any]], *, columns: Sequence[str] = ("text", "label")) -> Path:
    """Write a table."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([columns, *rows])
    return path


def settings(data: Path | str, out: Path, **changes: Any) -> FinetuneSettings:
    """Settings of a short run of the tiny network on one thread."""
    start = FinetuneSettings(
        model=str(keyword_folder()),
        data=str(data),
        out=str(out),
        epochs=2,
        batch_size=16,
        learning_rate=5e-3,
        max_length=32,
        device="cpu",
        precision="fp32",
        threads=THREADS,
        seed=12345 + SEED,
        baseline=False,
    )
    return replace(start, **changes)


def without_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw nothing at the end of a run: pictures have tests of their own and cost more than tiny trainings."""
    for name in ("plot_history", "plot_confusion", "plot_reliability"):
        monkeypatch.setattr(f"albertkit.training.finish.{name}", lambda *_, **__: None)
    monkeypatch.setattr("albertkit.evaluation.report_page.svg", lambda *_, **__: tag("svg"))


def assert_same_state(one: Mapping[str, Any], other: Mapping[str, Any]) -> None:
    """Hold two states to the same names, types and bits."""
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert tensor.dtype == other[name].dtype, name
        assert torch.equal(tensor, other[name]), name


@contextmanager
def files_limited_to(size: int) -> Iterator[None]:
    """Refuse every write that makes a file larger than `size` bytes, as a full disk would."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def leftovers(folder: Path) -> list[str]:
    """Temporary files and folders that were left in a folder."""
    return [path.name for path in folder.rglob(".*")]
