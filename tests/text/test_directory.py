"""Saved directories through transformers itself, and what is read back."""

from __future__ import annotations

import gzip
import json
import tarfile
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from albertkit.errors import CheckpointError
from albertkit.text.directory import read_directory
from albertkit.text.normalize import MODES
from albertkit.text.tokenizer import Tokenizer


def snippets(number: int) -> list[str]:
    """Lines of film reviews that come with albertkit."""
    content = gzip.decompress((resources.files("albertkit") / "assets" / "polarity.tsv.gz").read_bytes())
    return [line.split("\t")[1] for line in content.decode("utf-8").split("\n")[:number]]


@pytest.mark.parametrize(
    "mode, keep_accents", [("google", False), ("google", True), ("tfhub", False), ("keras", False)]
)
def test_transformers_gives_the_same_ids(
    mode: str, keep_accents: bool, tmp_path: Path, torture: list[str], golden: dict[str, Any]
) -> None:
    transformers = pytest.importorskip("transformers")
    ours = Tokenizer.official(mode=mode, keep_accents=keep_accents)
    ours.save(tmp_path)
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    texts = torture + [row["text"] for row in golden["texts"]]
    expected = [sequence.input_ids.tolist() for sequence in ours.sequences(texts)]
    assert theirs(texts)["input_ids"] == expected
    pair = theirs("Question?", "Answer")
    assert pair["input_ids"] == ours.encode("Question?", "Answer").input_ids
    assert pair["token_type_ids"] == [0, 0, 0, 0, 1, 1] if mode != "keras" else True
    assert (theirs.mask_token_id, theirs.pad_token_id, theirs.unk_token_id, len(theirs)) == (4, 0, 1, 30000)


def test_with_a_model_configuration_beside_it(tmp_path: Path, golden: dict[str, Any]) -> None:
    transformers = pytest.importorskip("transformers")
    ours = Tokenizer.official(mode="huggingface")
    ours.save(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "albert"}')
    texts = ["``co-op'' (U.S.) 2,500, caf\u00e9", *(row["text"] for row in golden["texts"])]
    expected = [sequence.input_ids.tolist() for sequence in ours.sequences(texts)]
    for name in ("AutoTokenizer", "AlbertTokenizer"):  # the second rebuilds it from the pieces
        assert getattr(transformers, name).from_pretrained(tmp_path)(texts)["input_ids"] == expected


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["google", "huggingface", "tfhub"])
def test_transformers_gives_the_same_ids_for_every_character_and_review(
    mode: str, tmp_path: Path, shared: Path
) -> None:
    transformers = pytest.importorskip("transformers")
    ours = Tokenizer.official(mode=mode)
    ours.save(tmp_path)
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    characters = [chr(code) for code in range(0x20000) if not 0xD800 <= code < 0xE000]
    texts = [f"a{character}b {character} x{character}{character}" for character in characters]
    recorded = json.loads((shared / "golden" / "tokenizer_google.json").read_text(encoding="utf-8"))
    texts += [row["text"] for row in recorded]
    with tarfile.open(shared / "data" / "glue_and_polarity.tar.xz") as archive:
        for part in ("neg", "pos"):  # 10,662 sentences of film reviews
            member = archive.extractfile(f"rt_polarity/sentence_polarity/rt-polarity.{part}")
            assert member is not None
            texts += member.read().decode("latin-1").splitlines()
    different = [
        text
        for text, mine, other in zip(
            texts, ours.sequences(texts, max_length=None), theirs(texts)["input_ids"], strict=True
        )
        if mine.input_ids.tolist() != other
    ]
    assert different == []


def test_round_trip_keeps_mode_accents_and_bytes(tmp_path: Path) -> None:
    ours = Tokenizer.official(mode="huggingface", keep_accents=True)
    names = ours.save(tmp_path / "new" / "folder")
    assert sorted(names) == sorted(path.name for path in (tmp_path / "new" / "folder").iterdir())
    again = read_directory(tmp_path / "new" / "folder")
    assert (again.mode, again.keep_accents) == ("huggingface", True)
    assert again.vocabulary.model == ours.vocabulary.model
    other = read_directory(tmp_path / "new" / "folder", mode="google", keep_accents=False)
    assert (other.mode, other.keep_accents) == ("google", False)


def test_foreign_directory(tmp_path: Path) -> None:
    (tmp_path / "30k-clean.model").write_bytes(Tokenizer.official().vocabulary.model)
    assert read_directory(tmp_path).mode == "google"
    settings = tmp_path / "tokenizer_config.json"
    settings.write_text('{"keep_accents": true}')
    assert read_directory(tmp_path).keep_accents
    settings.write_text('{"do_lower_case": false}')
    with pytest.raises(CheckpointError, match="do_lower_case false does not determine the mode"):
        read_directory(tmp_path)
    assert read_directory(tmp_path, mode="keras").mode == "keras"
    settings.write_text("{")
    with pytest.raises(CheckpointError, match="cannot be read as JSON"):
        read_directory(tmp_path)
    settings.write_text("[]")
    with pytest.raises(CheckpointError, match="not a mapping"):
        read_directory(tmp_path)


def test_directory_without_vocabulary(tmp_path: Path) -> None:
    message = r"holds no spiece\.model or 30k-clean\.model, and no vocab\.txt; copy"
    with pytest.raises(CheckpointError, match=message):
        read_directory(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text("{}")
    with pytest.raises(CheckpointError, match=message):
        read_directory(tmp_path)


@pytest.mark.parametrize("keep_accents", [False, True])
@pytest.mark.parametrize("mode", sorted(MODES))
def test_every_mode_is_kept_and_written_for_the_tokenizers_library(
    mode: str, keep_accents: bool, tmp_path: Path, torture: list[str], golden: dict[str, Any]
) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    ours = Tokenizer.official(mode=mode, keep_accents=keep_accents)
    ours.save(tmp_path)
    again = read_directory(tmp_path)
    assert (again.mode, again.keep_accents) == (mode, keep_accents)
    theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    texts = [*torture, *(row["text"] for row in golden["texts"]), *snippets(20 if keep_accents else 200)]
    assert [row.ids for row in theirs.encode_batch(texts)] == [row.input_ids.tolist() for row in again.sequences(texts)]


def test_tokenizer_json_on_all_recorded_texts(shared: Path, tmp_path: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    for mode, key in (("google", "ids"), ("tfhub", "input_word_ids")):
        Tokenizer.official(mode=mode).save(tmp_path)
        theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
        rows = json.loads((shared / "golden" / f"tokenizer_{mode}.json").read_text(encoding="utf-8"))
        if mode == "tfhub":
            theirs.enable_truncation(128)
        found = theirs.encode_batch([row["text"] for row in rows], add_special_tokens=mode == "tfhub")
        assert [one.ids for one in found] == [row[key] for row in rows]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"albertkit": {"mode": "gogle"}}', r"records the tokenizer mode 'gogle', which is not one of google"),
        ('{"albertkit": {"mode": ["google"]}}', "records the tokenizer mode"),
        ('{"albertkit": []}', "not a mapping"),
        ("[" * 100_000, "cannot be read as JSON"),
    ],
)
def test_settings_that_cannot_be(content: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "spiece.model").write_bytes(Tokenizer.official().model)
    (tmp_path / "tokenizer_config.json").write_text(content)
    with pytest.raises(CheckpointError, match=words):
        read_directory(tmp_path)
