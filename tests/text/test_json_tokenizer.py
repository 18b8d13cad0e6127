"""Added tokens and tokenizer.json without a vocabulary file: the ids of transformers, or one sentence; never others."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.tiny import tiny_folder

from albertkit.errors import CheckpointError, MissingExtraError, UsageError
from albertkit.models.conversion import convert
from albertkit.models.loaded import FreshWeightsWarning
from albertkit.models.pretrained import load_model, save_model
from albertkit.models.tokenizers import load_tokenizer
from albertkit.text.any_tokenizer import AnyTokenizer
from albertkit.text.directory import read_directory
from albertkit.text.json_tokenizer import JsonTokenizer
from albertkit.text.tokenizer import Tokenizer
from albertkit.text.vocabulary import official_vocabulary

TEXTS = (
    "Hello <user>, see <url> or <URL>: covid19 is not Covid",
    "th\u00e9 (end) costs 5\u20ac... ``quoted'' text",
    "<user>",
    "  two  spaces ",
    "",
)
PIECES = [("<pad>", 0.0), ("<unk>", 0.0), ("[CLS]", 0.0), ("[SEP]", 0.0), ("[MASK]", 0.0)]
PIECES += [("\u2581", -2.0), ("\u2581the", -3.0), ("o", -4.0), ("n", -4.5), ("e", -5.0), ("\u2581end", -5.5)]


def add_to(folder: Path) -> None:
    """Add tokens as transformers' users do, in place."""
    transformers = pytest.importorskip("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["<user>", "covid"])
    tokenizer.add_special_tokens({"additional_special_tokens": ["<url>"]})
    tokenizer.save_pretrained(folder)


def published(place: Path) -> Path:
    """A folder as transformers 5 saves it after reading spiece.model."""
    transformers = pytest.importorskip("transformers")
    (place / "source").mkdir(parents=True)
    shutil.copy(official_vocabulary(), place / "source" / "spiece.model")
    transformers.AlbertTokenizer.from_pretrained(place / "source").save_pretrained(place / "saved")
    return place / "saved"


def foreign(place: Path) -> Path:
    """A folder with a tokenizer.json of another vocabulary, and no other file of it."""
    transformers = pytest.importorskip("transformers")
    transformers.AlbertTokenizer(vocab=PIECES).save_pretrained(place / "saved")
    return place / "saved"


def ours(place: Path) -> Path:
    return Path(shutil.copytree(tiny_folder(), place / "saved"))


def assert_ids_are_those_of_transformers(found: AnyTokenizer, folder: Path) -> None:
    transformers = pytest.importorskip("transformers")
    theirs = transformers.AutoTokenizer.from_pretrained(folder)
    for text in TEXTS:
        assert found.encode(text).input_ids == theirs(text).input_ids, text
        pair = found.encode(text, "the end", max_length=12)
        assert pair.input_ids == theirs(text, "the end", truncation=True, max_length=12).input_ids
    assert found.ids_of(list(TEXTS)) == [theirs(text, add_special_tokens=False).input_ids for text in TEXTS]
    assert found.vocab_size == len(theirs)


@pytest.mark.parametrize("made", [ours, foreign])
def test_added_tokens_have_the_ids_of_transformers(made: Callable[[Path], Path], tmp_path: Path) -> None:
    folder = made(tmp_path)
    add_to(folder)
    found = read_directory(folder)
    assert isinstance(found, JsonTokenizer)
    assert found.tokenize("<user> covid19")[0] == "<user>"
    assert_ids_are_those_of_transformers(found, folder)
    found.save(tmp_path / "again")
    again = read_directory(tmp_path / "again")
    assert again.ids_of(list(TEXTS)) == found.ids_of(list(TEXTS))
    assert_ids_are_those_of_transformers(again, tmp_path / "again")


@pytest.mark.parametrize("made", [ours, foreign])
def test_added_tokens_with_capitals_and_accents(made: Callable[[Path], Path], tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    folder = made(tmp_path)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["COVID-19", "Ix", "\u00c9mile"])
    tokenizer.save_pretrained(folder)
    found = read_directory(folder)
    texts = ["the COVID-19 end, covid-19", "Ix ix", "\u00c9mile emile \u00e9mile"]
    assert found.ids_of(texts) == [tokenizer(text, add_special_tokens=False).input_ids for text in texts]
    assert [found.ids(found.tokenize(text)) for text in texts] == found.ids_of(texts)
    written = ["COVID-19", "Ix", "\u00c9mile", "<unk>", "nowhere"]
    assert found.ids(written) == tokenizer.convert_tokens_to_ids(written)
    assert_ids_are_those_of_transformers(found, folder)
    found.save(tmp_path / "again")
    assert read_directory(tmp_path / "again").ids_of(texts) == found.ids_of(texts)


def test_a_foreign_tokenizer_json_is_read(tmp_path: Path) -> None:
    folder = foreign(tmp_path)
    found = read_directory(folder)
    assert isinstance(found, JsonTokenizer)
    assert_ids_are_those_of_transformers(found, folder)
    encoding = found.encode("the  noon end")
    spans = [("the  noon end"[start:end]) for start, end in encoding.offsets]
    assert list(zip(encoding.pieces, spans, strict=True))[1:4] == [("\u2581the", "the"), ("\u2581", "n"), ("n", "n")]
    assert found.decode(found.encode("the end").input_ids) == "the end"
    assert found.encode("the [MASK]").input_ids.count(4) == 0  # text is text
    assert found.encode("the [MASK]", allow_special={"[MASK]"}).input_ids[-2] == 4
    assert found.scores.tolist() == [score for _, score in PIECES]
    with pytest.raises(UsageError, match="has no modes"):
        load_tokenizer(str(folder / "tokenizer.json"), mode="keras")


def test_the_published_one_needs_no_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = published(tmp_path)
    shutil.copytree(folder, tmp_path / "more")
    add_to(tmp_path / "more")
    assert_ids_are_those_of_transformers(read_directory(tmp_path / "more"), tmp_path / "more")
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    assert isinstance(read_directory(folder), Tokenizer)
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"type": "Unigram", "vocab": PIECES}}))
    with pytest.raises(MissingExtraError, match=r"tokenizer.json needs tokenizers.*albertkit\[chinese\]"):
        read_directory(folder)


def test_a_model_with_added_tokens_is_loaded_saved_and_converted(tmp_path: Path) -> None:
    folder = ours(tmp_path)
    add_to(folder)
    model = load_model(folder)
    with pytest.raises(CheckpointError, match="has 30003 pieces, the network 30000 embeddings"):
        model.tokenizer.ids(["<user>"])
    small = foreign(tmp_path / "small")
    for name in ("config.json", "model.safetensors"):
        shutil.copy(folder / name, small / name)
    with pytest.raises(CheckpointError, match="has 11 pieces, the network 30000 embeddings"):
        load_model(small).tokenizer.ids(["a"])


def test_unexplained_added_tokens_leave_what_works_on_ids(tmp_path: Path) -> None:
    folder = ours(tmp_path)
    (folder / "tokenizer.json").unlink()
    (folder / "added_tokens.json").write_text('{"<user>": 30000}')
    model = load_model(folder)
    reason = f'{folder}: the added token "<user>" (id 30000) is not in spiece.model'
    assert model.notes[0].startswith(reason)
    with pytest.raises(CheckpointError, match="the added token"):
        model.tokenizer.encode("a")
    done = convert(folder, tmp_path / "converted")
    assert done.notes[0].startswith(reason)
    assert not (tmp_path / "converted" / "spiece.model").exists()


def test_a_folder_of_transformers_with_added_tokens(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    folder = foreign(tmp_path)
    add_to(folder)
    shape = {"embedding_size": 4, "hidden_size": 6, "num_attention_heads": 2, "intermediate_size": 5}
    config = transformers.AlbertConfig(vocab_size=14, num_hidden_layers=1, hidden_act="gelu_new", **shape)
    transformers.AlbertModel(config).save_pretrained(folder)
    model = load_model(folder)
    assert model.notes == ()
    assert_ids_are_those_of_transformers(model.tokenizer, folder)
    save_model(model, tmp_path / "ours")
    assert_ids_are_those_of_transformers(load_tokenizer(tmp_path / "ours"), folder)
    convert(folder, tmp_path / "converted")
    assert_ids_are_those_of_transformers(load_tokenizer(tmp_path / "converted"), folder)
    told = convert(folder, tmp_path / "tf1", to="tf1").notes
    assert any("tf1 cannot store the tokenizer" in note for note in told)


@pytest.mark.parametrize(
    ("file", "value", "words"),
    [
        ("added_tokens.json", {"<user>": 30000}, r'the added token "<user>" \(id 30000\) is not in spiece.model'),
        ("added_tokens.json", {"[MASK]": 30000}, r'the added token "\[MASK\]" \(id 30000\)'),
        ("added_tokens.json", {"\u2581the": 14}, 'the added token "\u2581the"'),
        ("added_tokens.json", {"<user>": "30000"}, "added_tokens.json: the token \"<user>\" has the id '30000'"),
        ("added_tokens.json", [], "not a mapping of names to values"),
        ("tokenizer_config.json", {"added_tokens_decoder": {"30000": {"content": "<user>"}}}, '"<user>" .id 30000.'),
    ],
)
def test_added_tokens_that_no_file_explains_are_refused(file: str, value: Any, words: str, tmp_path: Path) -> None:
    shutil.copy(official_vocabulary(), tmp_path / "spiece.model")
    (tmp_path / file).write_text(json.dumps(value))
    with pytest.raises(CheckpointError, match=words):
        read_directory(tmp_path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model": None}, "is not the tokenizer.json of a tokenizer"),
        ({"model": {"type": "Unigram", "unk_id": 0, "vocab": PIECES[:3]}}, "its vocabulary has no <pad>"),
        ({"model": {"type": "Unigram", "unk_id": None, "vocab": PIECES}}, "unk_id. is missing"),
        ({"model": {"type": "Tetragram"}}, "the tokenizers library cannot use it"),
        ({"added_tokens": [{"id": "1"}]}, "is not an added token with content and id"),
        (
            {"post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[MASK]", 4]}},
            "puts other tokens",
        ),
    ],
)
def test_tokenizers_that_cannot_serve(changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    path = foreign(tmp_path) / "tokenizer.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    with pytest.raises(CheckpointError, match=words):
        read_directory(path.parent)


def test_a_folder_without_any_vocabulary_says_so(tmp_path: Path) -> None:
    folder = ours(tmp_path)
    for name in ("spiece.model", "tokenizer.json"):
        (folder / name).unlink()
    with pytest.warns(FreshWeightsWarning, match="the official English vocabulary is used"):
        load_tokenizer_of_model(folder)


def load_tokenizer_of_model(folder: Path) -> AnyTokenizer:
    (folder / "tokenizer_config.json").unlink()
    return load_tokenizer(folder)
