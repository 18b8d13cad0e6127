"""Training a vocabulary: the official one's settings to the field, the same bytes twice, sentences for errors."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from albertkit.errors import DataError, UsageError
from albertkit.io.files import WriteError
from albertkit.io.protobuf import read_fields
from albertkit.models.tokenizers import load_tokenizer
from albertkit.text.tokenizer import Tokenizer
from albertkit.text.train_vocabulary import FIRST_PIECES, TrainedVocabulary, _Feed, train_vocabulary

TRAINER_SPEC, NORMALIZER_SPEC = 2, 3
"""Fields of a SentencePiece model, by sentencepiece_model.proto."""


def reviews(count: int) -> list[str]:
    packed = (resources.files("albertkit") / "assets" / "polarity.tsv.gz").read_bytes()
    return [line.split("\t")[-1] for line in gzip.decompress(packed).decode().splitlines()[:count]]


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("text") / "reviews.txt"
    path.write_text("\n\n".join(reviews(700)) + "\nCaf\u00e9 \ufb01ne  (TWO)\t\u00a31\n")
    return path


@pytest.fixture(scope="module")
def folder(text: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("vocabulary") / "deep" / "own"
    train_vocabulary([text], out=out, size=500)
    return out


def spec(model: bytes, number: int) -> dict[int, list[int | bytes]]:
    found: dict[int, list[int | bytes]] = {}
    [message] = [field.value for field in read_fields(model) if field.number == number]
    assert isinstance(message, bytes)
    for field in read_fields(message):
        found.setdefault(field.number, []).append(field.value)
    return found


def official() -> bytes:
    return (resources.files("albertkit") / "assets" / "30k-clean.model").read_bytes()


def test_the_trainer_spec_is_the_official_one(folder: Path) -> None:
    ours, theirs = spec((folder / "spiece.model").read_bytes(), TRAINER_SPEC), spec(official(), TRAINER_SPEC)
    for own in (1, 2, 4):  # input, model_prefix, vocab_size
        theirs.pop(own)
    assert ours.pop(4) == [500]
    # self_test_sample_size: the official file says 0, its default; today's sentencepiece calls it deprecated.
    assert theirs.pop(6) == [0]
    assert ours == theirs


def test_the_normalizer_spec_is_the_official_one_but_for_the_librarys_table(folder: Path) -> None:
    ours, theirs = spec((folder / "spiece.model").read_bytes(), NORMALIZER_SPEC), spec(official(), NORMALIZER_SPEC)
    table = 2  # precompiled_charsmap: a newer Unicode than the official one's
    assert len(ours.pop(table)[0]) > 200_000  # type: ignore[arg-type]
    theirs.pop(table)
    assert theirs.pop(6) == [b""]  # normalization_rule_tsv, its default
    assert ours == theirs
    assert theirs[1] == [b"nmt_nfkc"]


def test_the_fixed_pieces_have_the_official_ids(folder: Path) -> None:
    pieces = Tokenizer.official().vocabulary.pieces[:13]
    assert tuple(pieces) == FIRST_PIECES
    tokenizer = load_tokenizer(folder)
    assert tokenizer.vocabulary.pieces[:13] == pieces
    assert tokenizer.vocab_size == 500
    assert (tokenizer.pad_id, tokenizer.unk_id, tokenizer.cls_id, tokenizer.sep_id, tokenizer.mask_id) == (
        0,
        1,
        2,
        3,
        4,
    )


def test_text_is_normalised_before_it_is_learnt(folder: Path) -> None:
    tokenizer = load_tokenizer(folder)
    pieces = tokenizer.vocabulary.pieces[13:]
    assert all(piece == piece.lower() and piece.isascii() for piece in (piece.strip("\u2581") for piece in pieces))
    assert tokenizer.vocabulary.special_id("\u00a3") == 11
    assert 1 not in tokenizer.encode("Caf\u00e9 \ufb01ne (TWO)").input_ids


def test_it_cuts_and_batches_as_any_tokenizer(folder: Path) -> None:
    tokenizer = load_tokenizer(folder)
    texts = reviews(40)
    sequences = tokenizer.sequences(texts, max_length=30)
    assert [len(one) <= 30 for one in sequences] == [True] * 40
    whole = tokenizer.sequences(texts, max_length=None)
    decoded = {text: tokenizer.decode(one.input_ids) for text, one in zip(texts, whole, strict=True)}
    known = [text for text, one in zip(texts, whole, strict=True) if tokenizer.unk_id not in one.input_ids]
    assert len(known) > 35
    assert [decoded[text] for text in known] == [tokenizer.normalization.apply(text) for text in known]


def test_transformers_splits_the_same(folder: Path) -> None:
    transformers = pytest.importorskip("transformers")
    peer, ours = transformers.AutoTokenizer.from_pretrained(folder), load_tokenizer(folder)
    for line in [*reviews(60), "Caf\u00e9 (TWO) - \u00a31."]:
        assert peer(line)["input_ids"] == ours.encode(line).input_ids


def test_two_runs_give_equal_bytes_and_the_seed_draws(text: Path, folder: Path, tmp_path: Path) -> None:
    found = train_vocabulary([text], out=tmp_path / "again", size=500)
    assert (found.pieces, found.sentences, found.left_out) == (500, 701, 0)
    assert sorted(found.files) == sorted(path.name for path in (tmp_path / "again").iterdir())
    for name in found.files:
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()
    drawn = {}
    for name, seed in (("one", 1), ("same", 1), ("other", 2)):
        part = train_vocabulary([text], out=tmp_path / name, size=200, sentences=150, seed=seed)
        assert part.sentences == 150
        drawn[name] = (tmp_path / name / "spiece.model").read_bytes()
    assert drawn["one"] == drawn["same"] != drawn["other"]


def test_another_encoding_gives_the_same_bytes(text: Path, folder: Path, tmp_path: Path) -> None:
    content = text.read_text(encoding="utf-8")
    for name, encoded, encoding in (
        ("utf16", content.replace("\n", "\r\n").encode("utf-16"), None),
        ("be", content.replace("\n", "\r").encode("utf-16-be"), "utf-16-be"),
    ):
        (tmp_path / "other.txt").write_bytes(encoded)
        train_vocabulary([tmp_path / "other.txt"], out=tmp_path / name, size=500, encoding=encoding)
        assert (tmp_path / name / "spiece.model").read_bytes() == (folder / "spiece.model").read_bytes()


def test_every_sentence_is_drawn_equally_often(tmp_path: Path) -> None:
    (tmp_path / "ten.txt").write_text("\n".join(map(str, range(10))))
    counts: Counter[int] = Counter()
    for seed in range(2000):
        drawn = [int(sentence) for sentence in _Feed([tmp_path / "ten.txt"], total=10, wanted=3, seed=seed)]
        assert len(drawn) == 3
        assert drawn == sorted(drawn)
        counts.update(drawn)
    assert all(abs(counts[number] - 600) < 90 for number in range(10)), counts  # 4 standard deviations


def test_long_lines_lose_no_word_and_what_cannot_be_taken_is_counted(text: Path, tmp_path: Path) -> None:
    line = " ".join(reviews(400))  # 45,000 bytes
    long, odd = tmp_path / "long.txt", tmp_path / "odd.txt"
    long.write_text(line)
    parts = list(_Feed([long], total=1000, wanted=1000, seed=0))
    assert " ".join(parts) == Tokenizer.official().normalization.apply(line)
    assert max(len(part.encode()) for part in parts) <= 1397
    found = train_vocabulary([long], out=tmp_path / "long", size=300)
    assert (found.sentences, found.left_out) == (len(parts), 0)
    odd.write_text("before " + "x" * 5000 + " after\n\u2585 is reserved\n")
    found = train_vocabulary([text, odd], out=tmp_path / "odd", size=500)
    assert (found.sentences, found.left_out) == (703, 2)


def test_the_smallest_and_the_largest_size_that_the_sentences_name(text: Path, tmp_path: Path) -> None:
    for size, words in [(14, "too small"), (10**6, "too large for 701 sentences")]:
        with pytest.raises(UsageError, match=words) as caught:
            train_vocabulary([text], out=tmp_path / "no", size=size)
        named = int(str(caught.value).split(" or ")[0].split()[-1])
        assert train_vocabulary([text], out=tmp_path / str(size), size=named).pieces == named
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"size": 13}, "--size is 13; it must be 14 or more"),
        ({"size": 500, "sentences": 0}, "--sentences is 0; it must be 1 or more"),
        ({"size": 500, "threads": 0}, "--threads is 0; it must be 1 or more"),
    ],
)
def test_numbers_that_cannot_be(options: dict[str, Any], words: str, text: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=words):
        train_vocabulary([text], out=tmp_path / "no", **options)


def test_files_that_cannot_be(text: Path, tmp_path: Path) -> None:
    def train(*files: Path, out: str = "no") -> TrainedVocabulary:
        return train_vocabulary(files, out=tmp_path / out, size=500)

    with pytest.raises(DataError, match=r"no\.txt: there is no such file"):
        train(text, tmp_path / "no.txt")
    (tmp_path / "blank.txt").write_text(" \n\n\t\n")
    with pytest.raises(DataError, match=r"blank\.txt: no text to train on; every line is blank"):
        train(tmp_path / "blank.txt")
    (tmp_path / "reserved.txt").write_text("\u2585\n")
    with pytest.raises(DataError, match=r"no sentence to train on; all 1 hold"):
        train(tmp_path / "reserved.txt")
    (tmp_path / "latin.txt").write_bytes(b"fine\ncaf\xe9\n")
    with pytest.raises(DataError, match=r"latin\.txt, line 2: byte 0xe9 is not UTF-8; .* --encoding"):
        train(tmp_path / "latin.txt")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("")
    with pytest.raises(WriteError, match="full exists and is not empty; give another --out"):
        train(text, out="full")
    assert not (tmp_path / "no").exists()


def test_the_files_work_without_the_text_beside_them(folder: Path) -> None:
    names = {path.name for path in folder.iterdir()}
    assert names == {"spiece.model", "tokenizer.json", "special_tokens_map.json", "tokenizer_config.json"}
    assert json.loads((folder / "tokenizer.json").read_text())["model"]["type"] == "Unigram"
    assert b"reviews" not in (folder / "spiece.model").read_bytes()[:100]
