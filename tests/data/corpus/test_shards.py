"""The folder of shards: written, read by only NumPy, and refused where it is damaged."""

from __future__ import annotations

import hashlib
import json
import pickle
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from albertkit.data.corpus import shards
from albertkit.data.corpus.shards import Corpus, ShardWriter, shard_problem, token_dtype
from albertkit.errors import DataError, UsageError
from albertkit.io.files import WriteError
from albertkit.text.directory import read_directory
from albertkit.text.tokenizer import Tokenizer

DOCUMENTS = [[[5, 6, 7], [8]], [[9, 29_999]], [[10], [11, 12], [13]], [[14] * 7], [[15], [16]]]
"""Sentences of five documents; shards end behind the second and the third."""


def write(folder: Path, tokenizer: Tokenizer, *, vocab_size: int = 30_000) -> Path:
    tokenizer.save(folder / "tokenizer")
    writer = ShardWriter(folder, vocab_size=vocab_size)
    records: list[dict[str, Any]] = []
    for number, document in enumerate(DOCUMENTS):
        for sentence, tokens in enumerate(document, 1):  # a document may come in pieces
            writer.add(
                np.array(tokens, writer.dtype),
                sentence_lengths=np.array([len(tokens)]),
                document_lengths=np.array([len(document)] if sentence == len(document) else [], np.int64),
            )
        if number in (1, 2, 4):
            records.append(writer.finish())
    writer.close()
    manifest = {
        "format": 1,
        "max_length": 64,
        "tokenizer": {"vocab_size": vocab_size, "sha256": hashlib.sha256(tokenizer.model).hexdigest()},
        **{name: sum(record[name] for record in records) for name in ("documents", "sentences", "tokens")},
        "shards": records,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.fixture
def folder(tmp_path: Path, tokenizer: Tokenizer) -> Path:
    return write(tmp_path / "shards", tokenizer)


@pytest.mark.parametrize("vocab_size", [30_000, 65_537])
def test_round_trip(vocab_size: int, tmp_path: Path, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "_MAPPED", 2)
    corpus = Corpus.open(write(tmp_path / "s", tokenizer, vocab_size=vocab_size), verify=True)
    assert (corpus.num_documents, len(corpus), corpus.manifest["tokens"]) == (5, 5, 19)
    assert (corpus.vocab_size, corpus.max_length) == (vocab_size, 64)
    assert corpus.document_lengths.tolist() == [4, 2, 4, 7, 2]
    for each in (corpus, pickle.loads(pickle.dumps(corpus))):
        for number in (4, 0, 2, 1, 3):
            document = each.document(number)
            starts = document.starts
            assert starts.dtype == np.int64
            assert document.tokens.dtype == ("uint16" if vocab_size == 30_000 else "uint32")
            assert not document.tokens.flags.owndata
            assert [document.tokens[a:b].tolist() for a, b in pairwise(starts.tolist())] == (DOCUMENTS[number])
    assert read_directory(corpus.tokenizer_folder).vocab_size == 30_000
    assert type(corpus.document(0).tokens) is np.ndarray


def test_plain_numpy_reads_the_files(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir() if path.suffix == ".npy") == [
        f"{shard:05d}.{part}.npy" for shard in range(3) for part in ("documents", "sentences", "tokens")
    ]
    assert np.load(folder / "00001.tokens.npy").tolist() == [10, 11, 12, 13]
    assert np.load(folder / "00000.sentences.npy").tolist() == [0, 3, 4, 6]
    assert np.load(folder / "00002.documents.npy").tolist() == [0, 1, 3]
    assert [path.name for path in folder.glob(".*")] == []


@pytest.mark.parametrize("number", [-1, 5])
def test_a_number_outside(number: int, folder: Path) -> None:
    with pytest.raises(UsageError, match=f"document {number} is outside the corpus, whose documents are 0 to 4"):
        Corpus.open(folder).document(number)


def edit(folder: Path, **changes: object) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_folders_that_are_no_corpus(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(DataError, match=r"no: there is no such folder; make one with albertkit prepare"):
        Corpus.open(tmp_path / "no")
    with pytest.raises(DataError, match=r"holds no manifest\.json, so it is not a prepared corpus"):
        Corpus.open(tmp_path)
    (tmp_path / "progress.json").write_text("{}")
    with pytest.raises(DataError, match="not finished; the same albertkit prepare command again continues"):
        Corpus.open(tmp_path)
    edit(folder, format=2)
    with pytest.raises(DataError, match="format 2, where this albertkit reads 1; prepare the text again"):
        Corpus.open(folder)
    for content, words in (
        ("{", "cannot be read as JSON"),
        ("[]", "not a manifest of shards"),
        ('{"format": 1, "shards": []}', "not a manifest of shards"),
        ('{"format": 1, "shards": [3]}', "an entry is missing or malformed"),
        ("[" * 100_000, "cannot be read as JSON"),
        ('{"format": 1, "shards": [{"documents": 1e999}]}', "an entry is missing or malformed"),
    ):
        (folder / "manifest.json").write_text(content)
        with pytest.raises(DataError, match=words):
            Corpus.open(folder)


@pytest.mark.parametrize(
    "change",
    [{"tokens": "six"}, {"tokens": float("inf")}, {"tokens": -6}, {"tokens": 10**30}, {"tokens": True},
     {"tokens": None}, {"name": "../shards/00000"}, {"name": 3}, {"name": "0" * 5000}, {"documents": 0}, {"files": []}],
    ids=lambda change: str(change)[:40],
)  # fmt: skip
def test_malformed_entries(change: dict[str, object], folder: Path) -> None:
    records = json.loads((folder / "manifest.json").read_text())["shards"]
    edit(folder, shards=[{**records[0], **change}, *records[1:]])
    with pytest.raises(DataError, match=r"manifest\.json: an entry is missing or malformed"):
        Corpus.open(folder, verify=True)


@pytest.mark.parametrize(
    ("part", "starts", "words"),
    [
        ("sentences", [0, 10**18, 4, 6], "entry 1 is 1000000000000000000 and the next one 4, where they must rise"),
        ("sentences", [0, 3, 3, 6], "entry 1 is 3 and the next one 3"),
        ("documents", [0, -5, 3], "entry 0 is 0 and the next one -5"),
        ("documents", [0, 9, 3], "entry 1 is 9 and the next one 3"),
    ],
)
def test_lengths_that_cannot_be(
    part: str, starts: list[int], words: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(folder / f"00000.{part}.npy", np.array(starts))
    for piece in (1, 2, 1 << 20):
        monkeypatch.setattr(shards, "_CHECKED", piece)
        with pytest.raises(DataError, match=rf"00000\.{part}\.npy: {words}"):
            Corpus.open(folder)


def test_an_id_outside_the_vocabulary_is_told_when_it_is_read(folder: Path) -> None:
    np.save(folder / "00001.tokens.npy", np.array([10, 11, 30_000, 13], "<u2"))
    corpus = Corpus.open(folder)
    assert corpus.document(0).tokens.tolist() == [5, 6, 7, 8]
    with pytest.raises(DataError, match=r"00001\.tokens\.npy: token id 30000 is outside the vocabulary of 30,000"):
        corpus.document(2)


@pytest.mark.parametrize("head", [b"{'descr': '<u2', 'fortran_order': (", b"[" * 9000, b"\x00" * 100, b"{'a': 1}"])
def test_a_head_that_numpy_cannot_parse(head: bytes, folder: Path) -> None:
    path = folder / "00000.tokens.npy"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head)
    with pytest.raises(DataError, match=r"00000\.tokens\.npy: damaged \("):
        Corpus.open(folder)


@pytest.mark.parametrize("part", ["tokens", "sentences", "documents"])
def test_damaged_files(part: str, folder: Path) -> None:
    path = folder / f"00001.{part}.npy"
    good = path.read_bytes()
    advice = "remove the folder and run albertkit prepare again, or copy it again"
    for bad, words in (
        (good[:-1], "damaged"),
        (b"", "damaged"),
        (b"hello" * 40, "damaged"),
        (good.replace(b"<u2", b"<i2").replace(b"<i8", b"<u8"), "where the manifest has"),
    ):
        path.write_bytes(bad)
        with pytest.raises(DataError, match=rf"00001\.{part}\.npy: .*{words}.*; {advice}"):
            Corpus.open(folder)
    path.unlink()
    with pytest.raises(DataError, match=rf"00001\.{part}\.npy: cannot be read \(No such file"):
        Corpus.open(folder)


def test_what_does_not_add_up(folder: Path, tokenizer: Tokenizer) -> None:
    path = folder / "00000.tokens.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    Corpus.open(folder)
    with pytest.raises(DataError, match=r"00000\.tokens\.npy: its content has changed since it was written"):
        Corpus.open(folder, verify=True)
    np.save(folder / "00002.sentences.npy", np.array([0, 7, 8, 10]))
    with pytest.raises(DataError, match="runs from 0 to 10, not over all that it divides"):
        Corpus.open(folder)
    np.save(folder / "00002.sentences.npy", np.array([0, 7, 8, 9]))
    edit(folder, documents=6)
    with pytest.raises(DataError, match="6 documents in all, yet 5 in its shards"):
        Corpus.open(folder)
    edit(folder, documents=5)
    Corpus.open(folder)
    (folder / "tokenizer" / "spiece.model").write_bytes(tokenizer.model + b"!")
    with pytest.raises(DataError, match=r"spiece\.model: not the vocabulary that this text was tokenized with"):
        Corpus.open(folder)


def test_sizes_of_finished_shards(folder: Path) -> None:
    records = json.loads((folder / "manifest.json").read_text())["shards"]
    assert [shard_problem(folder, record, dtype=token_dtype(30_000)) for record in records] == [None] * 3
    (folder / "00000.tokens.npy").write_bytes(b"")
    (folder / "00001.documents.npy").unlink()
    problems = [shard_problem(folder, record, dtype=token_dtype(30_000)) for record in records]
    assert problems == ["00000.tokens.npy has 0 bytes, not 140", "00001.documents.npy is missing", None]


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = ShardWriter(tmp_path, vocab_size=9)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("albertkit.data.corpus.arrays_on_disk.ArrayFile.append", full)
    with pytest.raises(WriteError, match=r"cannot be written \(No space left on device\); the same command continues"):
        writer.add(np.zeros(1, np.uint16), sentence_lengths=np.array([1]), document_lengths=np.array([1]))
    writer.close()
    assert list(tmp_path.iterdir()) == []
