"""Teachers against sentence-transformers' own definition, what they refuse, and the cache of their vectors."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from tests.tiny import execution, tiny_folder
from tests.tiny_teacher import DIMENSIONS, tiny_teacher, write_teacher

from albertkit.errors import AlbertkitError, CheckpointError, MissingExtraError
from albertkit.io.file_digests import model_digest
from albertkit.io.vectors import unit
from albertkit.training.distillation import cache as module
from albertkit.training.distillation.cache import CachedTeacher
from albertkit.training.distillation.teachers import open_teacher

transformers = pytest.importorskip("transformers")

TEXTS = ["a splendid film", "the plot of a film was very boring indeed , and the actor was quite clumsy in it .", "x"]


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A teacher that a test may damage."""
    return Path(shutil.copytree(tiny_teacher(), tmp_path / "teacher"))


def _add_dense(folder: Path, *, inside: int = DIMENSIONS) -> torch.nn.Linear:
    """Put a Dense module after the pooling."""
    torch.manual_seed(3)
    linear = torch.nn.Linear(inside, 5)
    (folder / "2_Dense").mkdir()
    tensors = {f"linear.{name}": tensor for name, tensor in linear.state_dict().items()}
    safetensors.torch.save_file(tensors, folder / "2_Dense" / "model.safetensors")
    settings = {"in_features": inside, "out_features": 5, "bias": True}
    activation = {"activation_function": "torch.nn.modules.activation.Tanh"}
    (folder / "2_Dense" / "config.json").write_text(json.dumps({**settings, **activation}))
    kinds = [("Transformer", ""), ("Pooling", "1_Pooling"), ("Dense", "2_Dense")]
    rows = [{"path": path, "type": f"sentence_transformers.models.{kind}"} for kind, path in kinds]
    (folder / "modules.json").write_text(json.dumps(rows))
    return linear


def test_a_dense_module_of_a_teacher_is_computed(copied: Path) -> None:
    pooled, before = open_teacher(str(copied), execution()).embed(TEXTS), model_digest(copied)
    linear = _add_dense(copied)
    expected = torch.tanh(linear(torch.from_numpy(pooled))).detach().numpy()
    np.testing.assert_allclose(open_teacher(str(copied), execution()).embed(TEXTS), expected, atol=1e-6)
    between = model_digest(copied)
    path = copied / "2_Dense" / "model.safetensors"
    tensors = {name: tensor * 2 for name, tensor in safetensors.torch.load_file(path).items()}
    safetensors.torch.save_file(tensors, path)
    assert len({before, between, model_digest(copied)}) == 3


@pytest.mark.parametrize(("mode", "length"), [("mean_tokens", 16), ("cls_token", 9)])
def test_vectors_are_those_of_each_text_by_itself(copied: Path, mode: str, length: int) -> None:
    pooling = {"pooling_mode_mean_tokens": False, "pooling_mode_cls_token": False, f"pooling_mode_{mode}": True}
    (copied / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    (copied / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": length}))
    found = open_teacher(str(copied), execution()).embed(TEXTS)
    tokenizer = transformers.AutoTokenizer.from_pretrained(copied)
    network = transformers.AutoModel.from_pretrained(copied, add_pooling_layer=False).eval()
    for text, vector in zip(TEXTS, found, strict=True):
        given = tokenizer(text, truncation=True, max_length=length, return_tensors="pt")
        with torch.no_grad():
            hidden = network(**given).last_hidden_state[0]
        expected = hidden.mean(0) if mode == "mean_tokens" else hidden[0]
        np.testing.assert_allclose(vector, expected, atol=1e-5)


def test_a_plain_folder_of_transformers_has_the_mean(tmp_path: Path) -> None:
    plain = open_teacher(str(write_teacher(tmp_path / "plain", modules=False)), execution()).embed(TEXTS[:1])
    np.testing.assert_allclose(plain, open_teacher(str(tiny_teacher()), execution()).embed(TEXTS[:1]), atol=1e-5)


def test_texts_become_lower_case_where_the_folder_says_so(copied: Path) -> None:
    (copied / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizer", "model_max_length": 40}')
    (copied / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 16, "do_lower_case": True}))
    teacher = open_teacher(str(copied), execution())
    np.testing.assert_array_equal(teacher.embed(["A FILM"]), teacher.embed(["a film"]))


def test_an_albert_folder_is_read_without_transformers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    assert open_teacher(str(tiny_folder()), execution()).embed(TEXTS).shape == (3, 16)
    with pytest.raises(MissingExtraError, match=r"needs transformers, .* pip install 'albertkit\[distill\]'"):
        open_teacher(str(tiny_teacher()), execution())


def test_folders_that_cannot_teach(copied: Path) -> None:
    def refuses(words: str) -> None:
        with pytest.raises(CheckpointError, match=words):
            open_teacher(str(copied), execution())

    rows = json.loads((copied / "modules.json").read_text())
    other = [*rows[:2], {"path": "2_CNN", "type": "sentence_transformers.models.CNN"}]
    (copied / "modules.json").write_text(json.dumps(other))
    refuses('declares the module "CNN" in 2_CNN')
    _add_dense(copied, inside=DIMENSIONS + 1)
    refuses(f"reads vectors of {DIMENSIONS + 1} numbers, and the pooled ones have {DIMENSIONS}")
    (copied / "modules.json").write_text(json.dumps(rows))
    weights = safetensors.torch.load_file(copied / "model.safetensors")
    del weights["embeddings.word_embeddings.weight"]
    safetensors.torch.save_file(weights, copied / "model.safetensors", {"format": "pt"})
    refuses(r"the weights lack embeddings.word_embeddings.weight \(1 are missing\)")
    (copied / "model.safetensors").write_bytes(b"no")
    refuses("transformers cannot load this teacher")
    (copied / "model.safetensors").rename(copied / "pytorch_model.bin")
    refuses(r"holds no \.safetensors file")
    for name in ("vocab.txt", "tokenizer.json"):
        (copied / name).unlink(missing_ok=True)
    refuses(r"holds no tokenizer \(tokenizer.json, vocab.txt, vocab.json, ..\); copy the tokenizer's files")
    (copied / "config.json").write_text("[")
    refuses("cannot be read as a configuration")


def test_an_albert_without_a_tokenizer_says_so(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_folder(), tmp_path / "albert"))
    config = json.loads((folder / "config.json").read_text())
    for path in folder.iterdir():
        if path.name not in ("config.json", "model.safetensors"):
            path.unlink()
    weights = safetensors.torch.load_file(folder / "model.safetensors")
    name = next(name for name in weights if name.endswith("word_embeddings.weight"))
    weights[name] = weights[name][:50].contiguous()
    safetensors.torch.save_file(weights, folder / "model.safetensors", {"format": "pt"})
    (folder / "config.json").write_text(json.dumps({**config, "vocab_size": 50}))
    with (
        pytest.warns(UserWarning, match="holds no tokenizer"),
        pytest.raises(AlbertkitError, match="holds no tokenizer"),
    ):
        open_teacher(str(folder), execution())


def test_vectors_come_from_the_cache_in_fp16(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALBERTKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "TEXTS", 2)
    counts: list[int] = []
    teacher = CachedTeacher(str(tiny_teacher()), execution=execution(), workers=1)
    first = teacher.vectors(TEXTS, progress=counts.append)
    assert (first.dtype, first.shape, teacher.dimensions) == (np.float16, (3, DIMENSIONS), DIMENSIONS)
    np.testing.assert_allclose(first, unit(open_teacher(str(tiny_teacher()), execution()).embed(TEXTS)), atol=1e-3)
    assert counts == [0, 2, 1]
    files = sorted((tmp_path / "cache" / "teachers").iterdir())
    assert len(files) == 2
    damaged = bytearray(files[0].read_bytes())
    damaged[-200] ^= 255
    files[0].write_bytes(damaged)
    again = CachedTeacher(str(tiny_teacher()), execution=execution(), workers=1)
    asked: list[int] = []
    embed = again._teacher.embed
    monkeypatch.setattr(again._teacher, "embed", lambda texts: (asked.append(len(texts)), embed(texts))[1])
    np.testing.assert_array_equal(again.vectors(TEXTS), first)
    assert len(asked) == 1  # only the damaged file


def test_vectors_that_are_no_numbers_are_refused(copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALBERTKIT_CACHE", str(tmp_path / "cache"))
    weights = safetensors.torch.load_file(copied / "model.safetensors")
    weights["embeddings.word_embeddings.weight"][:] = torch.nan
    safetensors.torch.save_file(weights, copied / "model.safetensors", {"format": "pt"})
    teacher = CachedTeacher(str(copied), execution=execution(), workers=1)
    with pytest.raises(CheckpointError, match='the vector of "a splendid film" is zero or not of finite numbers'):
        teacher.vectors(TEXTS)
    assert not list((tmp_path / "cache" / "teachers").iterdir())


@pytest.mark.slow
def test_several_processes_give_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TEXTS", 1)
    found = []
    for workers in (1, 2):
        monkeypatch.setenv("ALBERTKIT_CACHE", str(tmp_path / str(workers)))
        found.append(CachedTeacher(str(tiny_teacher()), execution=execution(), workers=workers).vectors(TEXTS))
    np.testing.assert_array_equal(*found)
