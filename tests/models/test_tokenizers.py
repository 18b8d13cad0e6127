"""The tokenizer of whatever a MODEL argument may be, found by one rule."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.checkpoints.healthy import TWO_BY_TWO, random_checkpoint

from albertkit.checkpoints.huggingface import HUGGINGFACE
from albertkit.errors import CheckpointError, UsageError
from albertkit.hub.consent import DownloadError
from albertkit.models.loaded import FreshWeightsWarning
from albertkit.models.tokenizers import find_tokenizer, load_tokenizer
from albertkit.text.tokenizer import Tokenizer
from albertkit.text.vocabulary import official_vocabulary
from albertkit.text.wordpiece import WordPieceTokenizer

CHINESE = WordPieceTokenizer("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n\u6211\n".encode())


def test_known_names(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_tokenizer("albert-base-v1", mode="tfhub").mode == "tfhub"
    assert load_tokenizer("albert-nano", keep_accents=True).keep_accents
    with pytest.raises(UsageError, match=r'No model "albert-nan": .*; did you mean "albert-nano"'):
        load_tokenizer("albert-nan")
    monkeypatch.setenv("ALBERTKIT_OFFLINE", "1")
    with pytest.raises(DownloadError, match="albert-base-zh is not on this machine"):
        load_tokenizer("albert-base-zh")


def test_folders_and_runs(tmp_path: Path) -> None:
    Tokenizer.official(mode="julia").save(tmp_path / "run" / "model")
    assert load_tokenizer(tmp_path / "run").mode == "julia"
    assert load_tokenizer(tmp_path / "run", mode="keras").mode == "keras"
    CHINESE.save(tmp_path / "zh" / "model")
    assert load_tokenizer(tmp_path / "zh").tokenize("\u6211") == ["\u6211"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckpointError, match=r"holds no spiece\.model"):
        load_tokenizer(tmp_path / "empty")


def test_files(tmp_path: Path) -> None:
    Tokenizer.official(mode="julia").save(tmp_path)
    assert load_tokenizer(tmp_path / "spiece.model").mode == "google"
    assert load_tokenizer(tmp_path / "tokenizer.json").model == official_vocabulary().read_bytes()
    (tmp_path / "spiece.model").rename(tmp_path / "english")
    assert load_tokenizer(tmp_path / "english", mode="tfhub").mode == "tfhub"
    (tmp_path / "words.txt").write_bytes(CHINESE.model)
    assert load_tokenizer(tmp_path / "words.txt", mode="huggingface").mode == "huggingface"


def test_a_vocabulary_without_settings_must_fit_the_model(tmp_path: Path) -> None:
    HUGGINGFACE.write(random_checkpoint(TWO_BY_TWO, "mlm"), tmp_path)
    (tmp_path / "spiece.model").write_bytes(official_vocabulary().read_bytes())
    with pytest.raises(CheckpointError, match="has 30000 pieces, the network 23 embeddings"):
        load_tokenizer(tmp_path)


def test_what_the_self_test_finds_is_told(tmp_path: Path) -> None:
    Tokenizer.official().save(tmp_path)
    settings = tmp_path / "tokenizer_config.json"
    settings.write_text(settings.read_text().replace('"mode": "google"', '"mode": "keras"'))
    _, (note,) = find_tokenizer(tmp_path)
    assert "the tokenizer's settings differ from when this model was saved" in note
    with pytest.warns(FreshWeightsWarning, match="differ from when"):
        load_tokenizer(tmp_path)
