"""Folders of sentence-transformers: vectors are the declared ones, worked out here with transformers and NumPy."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.tiny import execution, tiny_folder

from albertkit.checkpoints import read_checkpoint
from albertkit.conversion import convert
from albertkit.errors import CheckpointError
from albertkit.estimators import AlbertEmbedder
from albertkit.predictor import Predictor
from albertkit.pretrained import load_model, save_model

TEXTS = ["a fine film", "two hours of nothing at all, and then some more of it; " * 3, "x"]
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


MEAN, CLS = {"pooling_mode_mean_tokens": True}, {"pooling_mode_cls_token": True}
POOLING = {"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"}
DENSE = {"type": "sentence_transformers.models.Dense", "path": "2_Dense"}
PROMPT = {"prompts": {"q": "query: "}, "default_prompt_name": "q"}


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


@pytest.mark.parametrize(
    ("pooling", "config"),
    [("mean", flags("mean_tokens")), ("cls", flags("cls_token")), ("cls", {"pooling_mode": "cls"}), ("mean", {})],
)
@pytest.mark.parametrize(("normalize", "inner"), [(False, ""), (True, "0_Transformer")])
def test_vectors_are_the_declared_ones(
    pooling: str, config: dict[str, Any], normalize: bool, inner: str, tmp_path: Path
) -> None:
    folder = folder_of(tmp_path / "st", pooling=config, normalize=normalize, inner=inner)
    expected = by_hand(folder / inner, pooling=pooling, normalize=normalize, length=9)
    predictor = Predictor.load(folder, execution=execution())
    assert (predictor.default_pooling, predictor.model.max_length) == (pooling, 9)
    np.testing.assert_allclose(predictor.embed(TEXTS), expected, atol=2e-5)


def test_they_stay_so_in_whatever_is_made_of_the_folder(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "st", pooling=flags("cls_token"), normalize=True)
    expected = by_hand(folder, pooling="cls", normalize=True, length=9)
    convert(folder, tmp_path / "converted")
    save_model(load_model(folder), tmp_path / "saved")
    for place in (tmp_path / "converted", tmp_path / "saved"):
        np.testing.assert_allclose(Predictor.load(place, execution=execution()).embed(TEXTS), expected, atol=2e-5)
    found = AlbertEmbedder(str(tmp_path / "saved"), threads=1).fit_transform(TEXTS)
    np.testing.assert_allclose(found, expected, atol=2e-2)  # its precision is the machine's best


def test_without_a_length_the_tokenizer_says_it(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "st", pooling=flags("mean_tokens"), length=None)
    path = folder / "tokenizer_config.json"
    settings = json.loads(path.read_text())
    for said, length in ((11, 11), (int(1e30), 64), (512, 64)):
        write(path, {**settings, "model_max_length": said})
        assert load_model(folder).max_length == length


@pytest.mark.parametrize(
    ("file", "value", "words"),
    [
        ("1_Pooling/config.json", flags("max_tokens"), 'is "max_tokens", and albertkit computes mean and cls'),
        ("1_Pooling/config.json", MEAN | CLS, '"mean_tokens [+] cls_token"'),
        ("1_Pooling/config.json", flags("none"), 'the pooling is ""'),
        ("1_Pooling/config.json", {"pooling_mode": {"mean": 1}}, "the pooling is"),
        ("1_Pooling/config.json", [], "holds a list, not a mapping"),
        ("sentence_bert_config.json", {"max_seq_length": "many"}, "max_seq_length is 'many'"),
        ("config_sentence_transformers.json", PROMPT, 'puts the prompt "query: " before each text'),
        ("modules.json", {}, "is not a list of modules"),
        ("modules.json", [{"type": TRANSFORMER, "path": "../elsewhere"}], "not a module with a type and a path"),
        ("modules.json", [{"type": "a.WordEmbeddings", "path": ""}], 'begins with the module "WordEmbeddings"'),
        ("modules.json", [{"type": TRANSFORMER, "path": ""}], "declares no Pooling"),
        ("modules.json", [{"type": TRANSFORMER}, POOLING, DENSE], '"Dense" in 2_Dense.*remove modules.json'),
        ("modules.json", [{"type": TRANSFORMER}, DENSE, POOLING], '"Dense" in 2_Dense.*remove modules.json'),
    ],
)
def test_what_would_be_another_vector_is_refused(file: str, value: Any, words: str, tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "st", pooling=flags("mean_tokens"))
    write(folder / file, value)
    with pytest.raises(CheckpointError, match=f"{Path(file).name}: .*{words}"):
        read_checkpoint(folder)
