"""`albertkit prepare`."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.running import Runner

from albertkit.data.corpus.shards import Corpus

TEXT = "One sentence. And two.\nA third.\n\nThe second document.\n"


def test_json_summary_and_again(albertkit: Runner, tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_bytes(TEXT.encode() + b"\nbad \xff\x00 byte\n\n\xcc\x81\n")
    arguments = ("prepare", tmp_path / "t.txt", "--model", "albert-nano", "--out", tmp_path / "s", "--processes", "1")
    refused = albertkit(*arguments).failure()
    assert "t.txt, line 6: byte 0xff is not UTF-8; save the file as UTF-8, or pass --encoding" in refused
    arguments = (*arguments, "--bad-bytes", "replace")
    outcome = albertkit(*arguments, "--json")
    assert outcome.status == 0, outcome.err
    report = outcome.json
    assert {"documents", "tokens", "shards", "bytes", "seconds"} <= set(report)
    assert (report["documents"], report["sentences"], report["shards"]) == (3, 5, 1)
    assert report["bytes"] == (tmp_path / "t.txt").stat().st_size
    assert Corpus.open(tmp_path / "s", verify=True).manifest["tokens"] == report["tokens"]
    again = albertkit(*arguments)
    assert again.status == 0
    assert "already complete" in again.err
    assert again.out.splitlines()[0].startswith(
        f"3 documents, 5 sentences, {report['tokens']} tokens from 0.0 MB of text"
    )
    assert again.out.splitlines()[1:] == [
        "  1 lines with bytes that are not UTF-8, which were replaced",
        "  1 control characters, which became spaces",
        "  1 sentences without a token, which were left out",
        "  1 documents without a token, which were left out",
    ]
    changed = albertkit(*arguments, "--max-length", "128", "--json")
    assert "max_length was 512 and is 128; give another --out" in changed.failure()


def test_standard_input_and_lines(albertkit: Runner, tmp_path: Path) -> None:
    outcome = albertkit(
        *("prepare", "-", "--model", "albert-nano", "--out", tmp_path / "s", "--sentences", "line", "--json"),
        *("--processes", "1", "--max-length", "64"),
        given=TEXT,
    )
    assert (outcome.json["documents"], outcome.json["sentences"]) == (2, 3)
    assert Corpus.open(tmp_path / "s").max_length == 64


def test_refusals(albertkit: Runner, tmp_path: Path) -> None:
    out = ("--out", tmp_path / "s")
    missing = albertkit("prepare", tmp_path / "no.txt", "--model", "albert-nano", *out, "--json")
    assert "no.txt: there is no such file; check the path" in missing.failure()
    for arguments, words in (
        ((tmp_path, "--model", "albert-nan", *out), 'did you mean "albert-nano"?'),
        ((tmp_path, "--model", "albert-nano", *out, "--processes", "0"), "processes is 0; it must be 1 or more"),
        (("--model", "albert-nano", *out), "FILES is missing"),
    ):
        outcome = albertkit("prepare", *arguments)
        assert (outcome.status, outcome.out) == (2, "")
        assert words in outcome.err
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_says_how_to_go_on(albertkit: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("albertkit.data.corpus.prepare.prepare", interrupted)
    outcome = albertkit("prepare", tmp_path, "--model", "albert-nano", "--out", tmp_path / "s", "--json")
    assert (outcome.status, outcome.out) == (130, "")
    assert "the same command continues from the last finished shard" in outcome.err
