"""Text to shards: what is in them, the same bytes however the work was done, going on, refusals."""

from __future__ import annotations

import gzip
import hashlib
import lzma
import multiprocessing
import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import sentencepiece

from albertkit.data.corpus import prepare as module
from albertkit.data.corpus.journal import Journal
from albertkit.data.corpus.prepare import prepare
from albertkit.data.corpus.shards import Corpus
from albertkit.errors import DataError, RunError, UsageError
from albertkit.io.locks import locked
from albertkit.text.tokenizer import Tokenizer

SMALL: dict[str, Any] = {"shard_tokens": 1_000, "chunk_bytes": 2_000, "processes": 1}


def contents(folder: Path) -> dict[str, str]:
    """Digest of every file of a folder."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_tokens_are_those_of_the_sentences(tmp_path: Path, tokenizer: Tokenizer) -> None:
    text = (
        'Mr. Ray left. "Why?" she asked.\nHe is 5.\n\nCaf\u00e9 owners, 3,000 of them!\n\n\u0301\n\n \u0301\nA \u0301\n'
    )
    (tmp_path / "t.txt").write_text(text, encoding="utf-8")
    report = prepare(tmp_path, out=tmp_path / "s", tokenizer=tokenizer)
    corpus = Corpus.open(tmp_path / "s", verify=True)
    found = []
    for number in range(len(corpus)):
        tokens, starts = corpus.document(number)
        spans = pairwise(starts.tolist())
        found.append([tokenizer.decode(tokens[start:end]) for start, end in spans])
    assert found == [
        ["mr. ray left.", '"why?" she asked.', "he is 5."],
        ["cafe owners, 3,000 of them!"],
        ["a"],
    ]
    assert (
        corpus.document(1).tokens.tolist()
        == tokenizer.sequences("Caf\u00e9 owners, 3,000 of them!")[0].input_ids[1:-1].tolist()
    )
    assert corpus.manifest["sentence_rule"] == "split"
    seconds = report.pop("seconds")
    assert seconds > 0
    assert report == {
        "documents": 3,
        "sentences": 5,
        "tokens": corpus.manifest["tokens"],
        "shards": 1,
        "bytes": len(text.encode()),
        "counts": {
            "empty_documents": 1,
            "empty_sentences": 2,
            "empty_files": 0,
            "bad_bytes": 0,
            "control_characters": 0,
            "split_lines": 0,
        },
    }
    assert corpus.manifest["inputs"] == [
        {
            "name": "t.txt",
            "bytes": len(text.encode()),
            "sha256": hashlib.sha256(text.encode()).hexdigest(),
        }
    ]


def test_lines_against_sentencepiece_itself(text: bytes, tmp_path: Path, tokenizer: Tokenizer) -> None:
    plain = "".join(character for character in text.decode("ascii", errors="ignore") if character not in "\0\t\r")
    (tmp_path / "t.txt").write_text(plain)
    prepare(
        tmp_path / "t.txt",
        out=tmp_path / "s",
        tokenizer=tokenizer,
        sentences="line",
        **SMALL | {"chunk_bytes": 1 << 14},
    )
    corpus = Corpus.open(tmp_path / "s")
    assert len(corpus.manifest["shards"]) > 2
    processor = sentencepiece.SentencePieceProcessor(model_proto=tokenizer.model)
    lines = [line.lower() for line in plain.split("\n") if line.strip()]
    expected = [ids for ids in processor.encode(lines, out_type=int) if ids]
    found = []
    for number in range(len(corpus)):
        tokens, starts = corpus.document(number)
        found += [tokens[start:end].tolist() for start, end in pairwise(starts.tolist())]
    assert found == expected
    assert corpus.manifest["tokens"] == sum(map(len, expected)) == int(corpus.document_lengths.sum())


def test_processes_and_packing_change_no_byte(files: list[Path], tmp_path: Path, tokenizer: Tokenizer) -> None:
    one = prepare(files, out=tmp_path / "one", tokenizer=tokenizer, **SMALL)
    two = prepare(files, out=tmp_path / "two", tokenizer=tokenizer, **SMALL | {"processes": 2})
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert one.pop("seconds") > 0 < two.pop("seconds")
    assert one == two
    assert one["counts"] | {"empty_sentences": 0} == {
        "empty_documents": 0,
        "empty_sentences": 0,
        "empty_files": 1,
        "bad_bytes": 0,
        "control_characters": 8,
        "split_lines": 2,
    }
    packed = []
    for path in files:
        packed.append(tmp_path / f"{path.name}.{'gz' if len(packed) % 2 else 'xz'}")
        pack = gzip.compress if len(packed) % 2 == 0 else lzma.compress
        packed[-1].write_bytes(pack(path.read_bytes()))
    prepare(packed, out=tmp_path / "packed", tokenizer=tokenizer, **SMALL)
    first, second = contents(tmp_path / "one"), contents(tmp_path / "packed")
    assert {name for name in first if first[name] != second[name]} == {"manifest.json"}


def test_refusals_leave_nothing(files: list[Path], tmp_path: Path, tokenizer: Tokenizer) -> None:
    out = tmp_path / "s"
    for options, words in (
        ({"max_length": 4}, "max-length is 4; it must be 5 or more"),
        ({"processes": 0}, "processes is 0; it must be 1 or more"),
        ({"shard_tokens": 0}, "shard-tokens is 0"),
        ({"chunk_bytes": 15}, "chunk-bytes is 15"),
        ({"sentences": "lines"}, 'sentences is "lines"; it must be split or line'),
    ):
        with pytest.raises(UsageError, match=words):
            prepare(files, **{"out": out, "tokenizer": tokenizer, **SMALL, **options})
    (tmp_path / "n.txt").write_bytes(b" \n\xcc\x81\n\n")
    with pytest.raises(DataError, match=r"n\.txt: no tokens in 6 bytes; give files with text"):
        prepare(tmp_path / "n.txt", out=out, tokenizer=tokenizer, **SMALL)
    with pytest.raises(DataError, match="there is no such file"):
        prepare([files[0], tmp_path / "no.txt"], out=out, tokenizer=tokenizer)
    assert not out.exists()
    with pytest.raises(RunError, match="texts exists and is not a folder of shards; give another --out"):
        prepare(files, out=files[0].parent, tokenizer=tokenizer)
    (tmp_path / "c.txt.gz").write_bytes(gzip.compress(os.urandom(50_000))[:-3000])
    with pytest.raises(DataError, match=r"c\.txt\.gz: cannot be read"):
        prepare(tmp_path / "c.txt.gz", out=out, tokenizer=tokenizer, **SMALL)


def test_a_worker_that_dies(
    files: list[Path], tmp_path: Path, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = Journal.take

    def killing(journal: Journal, *arguments: Any, **options: Any) -> None:
        take(journal, *arguments, **options)
        for worker in multiprocessing.active_children():
            worker.kill()

    monkeypatch.setattr(Journal, "take", killing)
    with pytest.raises(RunError, match="a worker process died, perhaps for lack of memory; the same command continues"):
        prepare(files, out=tmp_path / "s", tokenizer=tokenizer, **SMALL | {"processes": 2})


def test_how_many_processes(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    from albertkit.data.corpus.inputs import find_inputs

    monkeypatch.setattr(module, "available_processes", lambda: 8)
    assert module._useful_processes(find_inputs(files)) == 1
    assert module._useful_processes(find_inputs([*files, "-"])) == 8
    monkeypatch.setattr(module, "_WORTH_A_PROCESS", sum(path.stat().st_size for path in files) // 2)
    assert module._useful_processes(find_inputs(files)) == 3


def test_a_locked_folder_is_refused(tmp_path: Path, files: list[Path], tokenizer: Tokenizer) -> None:
    with locked(tmp_path / "s"), pytest.raises(RunError, match=r"s: another albertkit \(process .*\) writes there"):
        prepare(files, out=tmp_path / "s", tokenizer=tokenizer, **SMALL)
    prepare(files, out=tmp_path / "s", tokenizer=tokenizer, **SMALL)
    assert not list((tmp_path / "s").glob(".*"))
