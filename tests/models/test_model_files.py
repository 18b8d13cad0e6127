"""What a MODEL argument may be: archives, prefixes, folders with either tokenizer, known names in the cache."""

from __future__ import annotations

import gc
import shutil
import tarfile
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.checkpoints.healthy import HEALTHY, TWO_BY_TWO, random_checkpoint

from albertkit.checkpoints.huggingface import HUGGINGFACE
from albertkit.errors import CheckpointError, UsageError
from albertkit.hub.known_models import model_cache
from albertkit.models.model_files import model_path, model_source, read_model
from albertkit.models.pretrained import load_encoder, load_model
from albertkit.models.tokenizers import load_tokenizer
from albertkit.text.vocabulary import official_vocabulary
from albertkit.text.wordpiece import WordPieceTokenizer

CHARACTERS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    *"今天気的中国人我们好",
    "al",
    "##bert",
    "a",
    "b",
    "c",
    "d",
    "e",
    "f",
]


@pytest.mark.parametrize("name", ["tar", "zip"])
def test_an_archive_is_a_model_and_leaves_nothing(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "unpacked"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    checkpoint = read_model(HEALTHY[name](tmp_path))
    assert checkpoint.source == str(tmp_path / f"model.{'tar.gz' if name == 'tar' else 'zip'}")
    expected = random_checkpoint(TWO_BY_TWO, "mlm", "sop").state
    assert checkpoint.state.keys() == expected.keys()
    assert all(torch.equal(checkpoint.state[key], tensor) for key, tensor in expected.items())
    assert len(list(place.iterdir())) == 1  # tensors are mapped from there
    del checkpoint
    gc.collect()
    assert list(place.iterdir()) == []


def test_an_archive_without_a_model(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with tarfile.open(tmp_path / "letters.tar", "w") as archive:
        archive.add(tmp_path / "letter.txt", "letter.txt")
    with pytest.raises(CheckpointError, match=r"holds no model in a known format \(1 files: letter.txt\)"):
        load_model(tmp_path / "letters.tar")


def test_the_prefix_of_a_checkpoint_is_a_model(tmp_path: Path) -> None:
    folder = HEALTHY["tf1"](tmp_path)
    assert read_model(folder / "model.ckpt-best").source_format == "tf1"
    with pytest.raises(UsageError, match="not a path, and not listed"):
        model_path(folder / "model.ckpt-worst")


def chinese(folder: Path) -> Path:
    config = replace(TWO_BY_TWO, vocab_size=len(CHARACTERS), hidden_act="relu")
    folder.mkdir()
    HUGGINGFACE.write(random_checkpoint(config, "mlm"), folder)
    (folder / "vocab.txt").write_text("\n".join(CHARACTERS) + "\n", encoding="utf-8")
    return folder


def test_a_chinese_model_has_its_wordpieces(tmp_path: Path) -> None:
    model = load_model(chinese(tmp_path / "zh"))
    assert isinstance(model.tokenizer, WordPieceTokenizer)
    assert model.notes == ("model.safetensors holds no pooler",) or all("pooler" in note for note in model.notes)
    assert model.tokenizer.tokenize("中国人 Albert") == ["中", "国", "人", "al", "##bert"]
    tokenizer = load_tokenizer(tmp_path / "zh")
    assert tokenizer.encode("好").input_ids == [2, CHARACTERS.index("好"), 3]
    batch = tokenizer(["我们", "今天"])
    assert load_encoder(tmp_path / "zh")(batch).pooled_output.shape == (2, 6)


def test_a_known_model_is_found_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALBERTKIT_CACHE", str(tmp_path / "cache"))
    folder = model_cache("albert-base-v2", "hub")
    shutil.copytree(
        model_source("albert-nano"), folder
    )  # put there by hand; whose weights these are is not the matter here
    shutil.copy(official_vocabulary(), folder / "spiece.model")
    assert load_model("albert-base-v2").network.config.hidden_size == 256
    assert load_tokenizer("albert-base-v2").vocab_size == 30000
