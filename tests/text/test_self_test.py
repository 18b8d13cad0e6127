"""The dozen texts: Google's ids for them, what folders record, exchanged and foreign files."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from albertkit.text.directory import read_directory
from albertkit.text.self_test import GOOGLE_IDS, self_test
from albertkit.text.self_test_record import SELF_TEST_TEXTS, self_test_record
from albertkit.text.tokenizer import Tokenizer
from albertkit.text.train_vocabulary import train_vocabulary
from albertkit.text.wordpiece import WordPieceTokenizer

OFFICIAL = Tokenizer.official()
CHINESE = "[PAD] [UNK] [CLS] [SEP] [MASK] \u6211 \u7231 \u5317 \u4eac dash two spaces iphone iPhone".split()


def changed(folder: Path, **own: Any) -> None:
    """Edit what albertkit recorded in a folder; None takes an entry away."""
    path = folder / "tokenizer_config.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    settings["albertkit"] = {key: value for key, value in {**settings["albertkit"], **own}.items() if value is not None}
    path.write_text(json.dumps(settings), encoding="utf-8")


def foreign(folder: Path, content: dict[str, Any]) -> Path:
    """Make the folder look like one that transformers saved, with this tokenizer.json."""
    folder.mkdir(exist_ok=True)
    (folder / "spiece.model").write_bytes(OFFICIAL.model)
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "AlbertTokenizer"}')
    (folder / "tokenizer.json").write_text(json.dumps(content))
    return folder


def other_vocabulary(folder: Path) -> bytes:
    """Train a small vocabulary of its own."""
    text = folder / "corpus.txt"
    text.write_text("the quick brown fox jumps over the lazy dog .\n" * 50 + "a dash , fine twice\n" * 50)
    train_vocabulary([text], size=45, out=folder / "trained")
    return (folder / "trained" / "spiece.model").read_bytes()


def test_googles_ids_are_ours() -> None:
    assert len(SELF_TEST_TEXTS) == len(GOOGLE_IDS) == 12
    for text, ids in zip(SELF_TEST_TEXTS, GOOGLE_IDS, strict=True):
        assert OFFICIAL.encode(text, specials=False).input_ids == list(ids)


def record(tokenizer: Tokenizer) -> dict[str, Any]:
    return self_test_record(tokenizer.model, tokenizer.plain_ids)


def test_the_texts_tell_the_modes_apart() -> None:
    found = {
        mode: record(Tokenizer.official(mode=mode, keep_accents=accents))["ids"]
        for mode, accents in [("google", False), ("huggingface", False), ("tfhub", False), ("keras", False)]
    }
    found["accents"] = record(Tokenizer.official(keep_accents=True))["ids"]
    assert len(set(found.values())) == 5


@pytest.mark.parametrize("mode", ["huggingface", "tfhub", "keras"])
def test_a_saved_folder_is_in_order(mode: str, tmp_path: Path) -> None:
    Tokenizer.official(mode=mode, keep_accents=mode == "tfhub").save(tmp_path)
    assert self_test(read_directory(tmp_path), tmp_path) == ()
    assert self_test(read_directory(tmp_path, mode="google", keep_accents=False), tmp_path) == ()  # asked for


def test_an_edited_mode(tmp_path: Path) -> None:
    OFFICIAL.save(tmp_path)
    changed(tmp_path, mode="keras")
    (said,) = self_test(read_directory(tmp_path), tmp_path)
    assert "the tokenizer's settings differ from when this model was saved" in said
    assert "He said ``yes'' twice" in said
    assert said.endswith("restore tokenizer_config.json, whose mode or accents were changed")


def test_an_exchanged_model(tmp_path: Path) -> None:
    OFFICIAL.save(tmp_path / "model")
    (tmp_path / "model" / "spiece.model").write_bytes(other_vocabulary(tmp_path))
    (said,) = self_test(read_directory(tmp_path / "model"), tmp_path / "model")
    assert said.startswith(f"{tmp_path / 'model'}: spiece.model is not the file that was saved with this model; ")
    assert said.endswith("now gets other ids; restore it")


def test_a_trained_vocabulary_is_in_order(tmp_path: Path) -> None:
    other_vocabulary(tmp_path)
    assert self_test(read_directory(tmp_path / "trained"), tmp_path / "trained") == ()


def test_the_official_pieces_with_other_scores(tmp_path: Path) -> None:
    at = OFFICIAL.model.index("\u2581wondering".encode()) + len("\u2581wondering".encode())
    assert OFFICIAL.model[at] == 0x15  # ModelProto: the score follows, a float of four bytes
    (tmp_path / "spiece.model").write_bytes(OFFICIAL.model[: at + 1] + b"\x00\x00\xc8\xc2" + OFFICIAL.model[at + 5 :])
    (said,) = self_test(read_directory(tmp_path, mode="tfhub"), tmp_path)
    assert "spiece.model: has the pieces of the official vocabulary but splits" in said
    assert "Wondering how" in said


def test_a_foreign_folder_that_agrees(tmp_path: Path) -> None:
    pytest.importorskip("tokenizers")
    content = Tokenizer.official(mode="huggingface").json_content()
    # As in the published file: accents go by category, not by combining class.
    rows = content["normalizer"]["normalizers"]
    content["normalizer"]["normalizers"] = [*rows[1:3], {"type": "NFKD"}, {"type": "StripAccents"}, *rows[-2:]]
    folder = foreign(tmp_path, content)
    assert self_test(read_directory(folder), folder) == ()  # the quotes are a known difference
    assert self_test(read_directory(folder, mode="huggingface"), folder) == ()


def test_a_foreign_folder_of_another_mode(tmp_path: Path) -> None:
    pytest.importorskip("tokenizers")
    folder = foreign(tmp_path, Tokenizer.official(mode="keras").json_content())
    (said,) = self_test(read_directory(folder), folder)
    assert "as mode keras does, not as mode google, which is used; name the mode keras" in said


def test_a_folder_that_recent_transformers_built_from_the_pieces(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers", minversion="5.0")
    foreign(tmp_path / "given", {})
    (tmp_path / "given" / "tokenizer.json").unlink()
    theirs = transformers.AlbertTokenizer.from_pretrained(tmp_path / "given")
    theirs.save_pretrained(tmp_path / "saved")
    (tmp_path / "saved" / "spiece.model").write_bytes(OFFICIAL.model)
    settings = tmp_path / "saved" / "tokenizer_config.json"
    assert settings.is_file()
    (said,) = self_test(read_directory(tmp_path / "saved"), tmp_path / "saved")
    assert "tokenizer.json: gives other ids for" in said
    assert "transformers and albertkit read texts differently here" in said


def test_a_broken_tokenizer_json(tmp_path: Path) -> None:
    pytest.importorskip("tokenizers")
    folder = foreign(tmp_path, {"version": "1.0", "model": {"type": "Unigram", "vocab": [], "unk_id": 7}})
    (said,) = self_test(OFFICIAL, folder)
    assert "tokenizer.json: the tokenizers library cannot use it" in said
    (folder / "tokenizer.json").write_bytes(b"\xff")
    assert "cannot use it" in self_test(OFFICIAL, folder)[0]
    with open(folder / "tokenizer.json", "wb") as file:
        file.truncate(2**31)
    assert "which no file of a tokenizer has" in self_test(OFFICIAL, folder)[0]


def test_without_the_library_nothing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = foreign(tmp_path, Tokenizer.official(mode="keras").json_content())
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "tokenizers" else name)
    assert self_test(read_directory(folder), folder) == ()


def test_records_that_cannot_be_compared(tmp_path: Path) -> None:
    OFFICIAL.save(tmp_path)
    changed(tmp_path, self_test={"version": 99})
    assert self_test(OFFICIAL, tmp_path) == ()
    changed(tmp_path, self_test=None)  # as albertkit saved before there was a record
    assert self_test(OFFICIAL, tmp_path) == ()
    for record in ({"version": 1}, {"version": 1, "vocabulary": 3, "ids": [[]]}):
        changed(tmp_path, self_test=record)
        assert len(self_test(OFFICIAL, tmp_path)) == 1


def test_word_pieces(tmp_path: Path) -> None:
    pytest.importorskip("tokenizers")
    ours = WordPieceTokenizer("\n".join(CHINESE).encode())
    ours.save(tmp_path)
    assert self_test(read_directory(tmp_path), tmp_path) == ()
    (tmp_path / "vocab.txt").write_text("\n".join([*CHINESE[:-1], "co"]), encoding="utf-8")
    (said,) = self_test(read_directory(tmp_path), tmp_path)
    assert "vocab.txt is not the file that was saved with this model" in said
    (tmp_path / "vocab.txt").write_bytes(ours.model)
    (tmp_path / "tokenizer_config.json").write_text("{}")
    assert self_test(read_directory(tmp_path), tmp_path) == ()
    cased = WordPieceTokenizer(ours.model, lower=False)
    (tmp_path / "tokenizer.json").write_text(json.dumps(cased.json_content()), encoding="utf-8")
    (said,) = self_test(read_directory(tmp_path), tmp_path)
    assert "gives other ids for \"The Quick BROWN Fox's iPhone" in said


def test_a_folder_of_ours_costs_no_import_and_little_time(tmp_path: Path) -> None:
    OFFICIAL.save(tmp_path)
    tokenizer = read_directory(tmp_path)
    loaded = set(sys.modules)
    started = time.perf_counter()
    assert self_test(tokenizer, tmp_path) == ()
    assert time.perf_counter() - started < 2  # some ten milliseconds on a quiet machine
    assert not {name for name in set(sys.modules) - loaded if name.startswith("tokenizers")}


def test_a_foreign_tokenizer_json_in_a_folder_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tokenizers")
    OFFICIAL.save(tmp_path)
    path = tmp_path / "tokenizer.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    rows = content["model"]["vocab"]
    rows[100], rows[14] = rows[14], rows[100]
    path.write_text(json.dumps(content), encoding="utf-8")
    (said,) = self_test(read_directory(tmp_path), tmp_path)
    assert "tokenizer.json: gives other ids for" in said
    assert "which albertkit uses, so transformers and albertkit read texts differently" in said
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "tokenizers" else name)
    (said,) = self_test(read_directory(tmp_path), tmp_path)
    assert (
        'tokenizer.json: gives the piece "\u2581the" the id 100, but the vocabulary in its folder, '
        "which albertkit uses, gives 14" in said
    )
    changed(tmp_path, tokenizer_json=None)  # as folders were saved before the digest was kept
    assert self_test(read_directory(tmp_path), tmp_path) == (said,)
