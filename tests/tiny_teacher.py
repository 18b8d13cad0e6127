"""Teachers small enough for tests: a random BERT as sentence-transformers saves one, and texts to distil from."""

from __future__ import annotations

import json
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tests.tiny import BAD, CONFIG, FILLER, GOOD

from albertkit.training.distillation.settings import DistillSettings

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *FILLER, *GOOD, *BAD, ".", ",")
DIMENSIONS = 12


@cache
def _parent() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="albertkit-teacher-")  # removed when the process ends


def write_teacher(folder: Path, *, modules: bool = True) -> Path:
    """Write a BERT with random weights, its tokenizer, and what sentence-transformers adds."""
    import transformers

    folder.mkdir(parents=True)
    (folder / "vocab.txt").write_text("\n".join(dict.fromkeys(WORDS)), encoding="utf-8")
    torch.manual_seed(9)
    config = transformers.BertConfig(
        vocab_size=len(dict.fromkeys(WORDS)), hidden_size=DIMENSIONS, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=16, max_position_embeddings=40, initializer_range=0.5,
    )  # fmt: skip
    transformers.BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": 40})
    )
    if modules:
        kinds = ("Transformer", ""), ("Pooling", "1_Pooling"), ("Normalize", "2_Normalize")
        rows = [
            {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for number, (kind, path) in enumerate(kinds)
        ]
        (folder / "modules.json").write_text(json.dumps(rows))
        (folder / "1_Pooling").mkdir()
        (folder / "1_Pooling" / "config.json").write_text(
            json.dumps({"word_embedding_dimension": DIMENSIONS, "pooling_mode_mean_tokens": True})
        )
        (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 16, "do_lower_case": False}))
    return folder


@cache
def tiny_teacher() -> Path:
    """The folder, made once, never written to."""
    return write_teacher(Path(_parent().name) / "teacher")


@cache
def tiny_texts() -> Path:
    """A file of 96 different texts, one per line."""
    random = np.random.RandomState(2)
    lines = []
    for number in range(96):
        sentences = []
        for _ in range(1 + number % 3):
            words = [str(random.choice((*FILLER, *GOOD, *BAD))) for _ in range(random.randint(3, 8))]
            sentences.append(" ".join(words).capitalize() + ".")
        lines.append(" ".join(sentences))
    path = Path(_parent().name) / "texts.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@cache
def tiny_config() -> Path:
    """The tiny network's config.json."""
    path = Path(_parent().name) / "config.json"
    path.write_text(json.dumps(CONFIG.to_dict()), encoding="utf-8")
    return path


def settings(out: Path, **changes: Any) -> DistillSettings:
    """Settings of a short run on one thread, with the student's own word embeddings."""
    chosen: dict[str, Any] = {
        "teacher": str(tiny_teacher()), "data": str(tiny_texts()), "out": str(out), "config": str(tiny_config()),
        "start": "keep", "steps": 10, "batch_size": 8, "learning_rate": 5e-3, "max_length": 32, "held_out": 0.1,
        "eval_share": 0.3, "save_seconds": 0, "device": "cpu", "precision": "fp32", "threads": 1, "workers": 1,
    }  # fmt: skip
    return DistillSettings(**{**chosen, **changes})
