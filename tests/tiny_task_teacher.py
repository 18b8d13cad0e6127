"""Teachers of a task: another size and another tokenizer than the tiny student, trained or with a random head."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import torch
from tests.tiny import BAD, CONFIG, FILLER, GOOD, SEED, keyword_rows, settings, write_csv

from albertkit.encoder.encoder import Encoder
from albertkit.models.loaded import Model
from albertkit.models.pretrained import save_model, with_task_head
from albertkit.tasks.network import Network
from albertkit.text.wordpiece import WordPieceTokenizer
from albertkit.training.finetune import finetune

WORDS = tuple(dict.fromkeys(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *FILLER, *GOOD, *BAD)))


@cache
def _parent() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="albertkit-task-teacher-")  # removed when the process ends


def _base() -> Model:
    torch.manual_seed(4 + SEED)
    config = replace(CONFIG, vocab_size=len(WORDS), hidden_size=24, intermediate_size=48)
    return Model(Network(Encoder(config), {}), WordPieceTokenizer("".join(f"{word}\n" for word in WORDS).encode()))


def random_teacher(
    folder: Path, *, task: str = "classification", labels: Sequence[str] = ("bad", "good"), seed: int = 1
) -> Path:
    """Write a teacher whose answers differ from text to text and mean nothing."""
    model = with_task_head(_base(), task=task, labels=labels, seed=seed)
    assert model.task is not None
    with torch.no_grad():
        head = model.network.heads[model.task.head]
        assert isinstance(head.weight, torch.Tensor)
        head.weight.mul_(20)  # else all answers are nearly the same
    save_model(replace(model, max_length=32), folder)
    return folder


@cache
def keyword_teacher() -> Path:
    """A run that has learned `keyword_rows`; made once, never written to."""
    folder = Path(_parent().name)
    save_model(_base(), folder / "base")
    data = folder / "data"
    data.mkdir()
    for number, (split, count) in enumerate({"train": 200, "dev": 60}.items()):
        write_csv(data / f"{split}.csv", keyword_rows(count, seed=100 + number))
    run = folder / "run"
    finetune(
        settings(data, run, model=str(folder / "base"), epochs=24, learning_rate=1e-2, pooling="mean", plots=False)
    )
    return run
