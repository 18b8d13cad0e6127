"""Folders of sentence-transformers, a model with a Dense map, and vectors by transformers, torch and NumPy."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tests.tiny import tiny_folder

from albertkit.checkpoints.dense import Dense
from albertkit.models.loaded import EmbeddingSpec, Model
from albertkit.models.pretrained import load_model

TEXTS = ["a fine film", "two hours of nothing at all, and then some more of it; " * 3, "x"]
LONG = [*TEXTS, "Caf\u00e9s, 2,000 of them; ``quoted'' \u2014 and\u00a0more", ""]
OUT = 11  # dimensions of mapped vectors
TRANSFORMER = "sentence_transformers.models.Transformer"


def folder_of(
    place: Path, *, pooling: dict[str, Any], normalize: bool = False, inner: str = "", length: int | None = 9
) -> Path:
    """A folder as sentence-transformers saves it, with the tiny network inside."""
    shutil.copytree(tiny_folder(), place / inner)
    rows = [(inner, TRANSFORMER), ("1_Pooling", "sentence_transformers.models.Pooling")]
    rows += [("2_Normalize", "sentence_transformers.models.Normalize")] if normalize else []
    write(place / "modules.json", [{"idx": n, "name": str(n), "path": p, "type": t} for n, (p, t) in enumerate(rows)])
    write(place / inner / "sentence_bert_config.json", {"max_seq_length": length, "do_lower_case": False})
    write(place / "config_sentence_transformers.json", {"prompts": {}, "default_prompt_name": None})
    (place / "1_Pooling").mkdir()
    write(place / "1_Pooling" / "config.json", {"word_embedding_dimension": 16, **pooling})
    return place


def write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value))


def flags(chosen: str) -> dict[str, bool]:
    return {f"pooling_mode_{name}": name == chosen for name in ("cls_token", "mean_tokens", "max_tokens", "lasttoken")}


def by_hand(transformer: Path, *, pooling: str, normalize: bool, length: int) -> np.ndarray:
    transformers = pytest.importorskip("transformers")
    tokens = transformers.AutoTokenizer.from_pretrained(transformer)(
        TEXTS, padding=True, truncation=True, max_length=length, return_tensors="pt"
    )
    with torch.inference_mode():
        hidden = transformers.AlbertModel.from_pretrained(transformer).eval()(**tokens).last_hidden_state.numpy()
    mask = tokens["attention_mask"].numpy()[:, :, None]
    vectors: np.ndarray = hidden[:, 0] if pooling == "cls" else (hidden * mask).sum(1) / mask.sum(1)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True) if normalize else vectors


def replayed(folder: Path, texts: list[str]) -> np.ndarray:
    """What sentence-transformers computes by the files of a folder, as its documentation says."""
    transformers = pytest.importorskip("transformers")
    rows = json.loads((folder / "modules.json").read_text())
    assert [row["idx"] for row in rows] == list(range(len(rows)))
    kinds = {row["type"].removeprefix("sentence_transformers.models."): folder / row["path"] for row in rows}
    length = json.loads((folder / "sentence_bert_config.json").read_text())["max_seq_length"]
    tokens = transformers.AutoTokenizer.from_pretrained(kinds["Transformer"])(
        texts, padding=True, truncation=True, max_length=length, return_tensors="pt"
    )
    with torch.inference_mode():
        hidden = transformers.AutoModel.from_pretrained(kinds["Transformer"]).eval()(**tokens).last_hidden_state
        pooling = json.loads((kinds["Pooling"] / "config.json").read_text())
        assert pooling.pop("word_embedding_dimension") == hidden.shape[-1]
        mask = tokens["attention_mask"][:, :, None]
        chosen = [name for name, on in pooling.items() if on]
        assert chosen in (["pooling_mode_cls_token"], ["pooling_mode_mean_tokens"])
        vectors = hidden[:, 0] if "cls" in chosen[0] else (hidden * mask).sum(1) / mask.sum(1)
        for place in (folder / row["path"] for row in rows if row["type"].endswith(".Dense")):
            dense = json.loads((place / "config.json").read_text())
            linear = torch.nn.Linear(dense["in_features"], dense["out_features"], bias=dense["bias"])
            weights = load_file(place / "model.safetensors")
            linear.load_state_dict({name.removeprefix("linear."): tensor for name, tensor in weights.items()})
            tanh = {"torch.nn.modules.activation.Tanh": True, "torch.nn.modules.linear.Identity": False}
            vectors = torch.tanh(linear(vectors)) if tanh[dense["activation_function"]] else linear(vectors)
        if "Normalize" in kinds:
            vectors = torch.nn.functional.normalize(vectors, dim=1)
    found: np.ndarray = vectors.numpy()
    return found


def tensors_of(*, inside: int = 16, bias: bool = True, dtype: torch.dtype = torch.float32) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(4)
    weight, offset = torch.randn(OUT, inside, generator=generator) / 2, torch.randn(OUT, generator=generator)
    return {"linear.weight": weight.to(dtype), **({"linear.bias": offset.to(dtype)} if bias else {})}


def dense_model(activation: str = "identity") -> Model:
    """The tiny network, whose vector is a map of the mean."""
    weight, bias = (tensor.numpy() for tensor in tensors_of().values())
    embedding = EmbeddingSpec("mean", dense=Dense(weight, bias, activation))
    return replace(load_model(tiny_folder()), embedding=embedding, max_length=9)
