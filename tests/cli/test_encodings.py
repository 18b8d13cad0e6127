"""Encodings, byte order marks and line ends wherever a command reads text."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.cli.running import ONE_THREAD, Runner
from tests.tiny import tiny_folder

from albertkit.data.corpus.shards import Corpus

TEXTS = ["a small wonder of a film", "two hours of caf\u00e9 nothing"]
PLAIN = "\n".join(TEXTS) + "\n"
FORMS = ("bom", "crlf", "cr", "utf16")


def as_bytes(form: str, text: str) -> bytes:
    ends = {"crlf": "\r\n", "cr": "\r"}.get(form, "\n")
    return text.replace("\n", ends).encode({"bom": "utf-8-sig", "utf16": "utf-16"}.get(form, "utf-8"))


@pytest.mark.parametrize("form", FORMS)
def test_predict_and_embed_read_the_same_texts(form: str, albertkit: Runner, run_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    path.write_bytes(as_bytes(form, PLAIN))
    rows = albertkit("predict", run_folder, "--input", path, *ONE_THREAD, "--json").rows
    assert [row["text"] for row in rows] == TEXTS
    (tmp_path / "plain.txt").write_bytes(PLAIN.encode())
    for name in ("t", "plain"):
        outcome = albertkit(
            *("embed", tiny_folder(), "--input", tmp_path / f"{name}.txt", "--output", tmp_path / f"{name}.npy"),
            *ONE_THREAD,
            "--json",
        )
        assert outcome.json["texts"] == 2, outcome.err
    assert np.array_equal(np.load(tmp_path / "t.npy"), np.load(tmp_path / "plain.npy"))


@pytest.mark.parametrize("form", FORMS)
def test_prepare_gives_the_same_shards(form: str, albertkit: Runner, tmp_path: Path) -> None:
    text = "\n".join(["One sentence. And two.", "A third.", "", "The second caf\u00e9 document."]) + "\n"
    found = {}
    for name, content in (("plain", text.encode()), (form, as_bytes(form, text))):
        (tmp_path / name).mkdir()
        (tmp_path / name / "t.txt").write_bytes(content)
        out = tmp_path / f"{name}-shards"
        report = albertkit("prepare", tmp_path / name / "t.txt", "--model", "albert-nano", "--out", out, "--json").json
        found[name] = (report["documents"], report["sentences"], report["tokens"])
        assert Corpus.open(out, verify=True).manifest["tokens"] == report["tokens"]
    assert found["plain"] == found[form]
    assert found["plain"][0] == 2


def test_a_named_encoding_and_its_refusal(albertkit: Runner, run_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "latin.txt"
    path.write_bytes(PLAIN.encode("cp1252"))
    embed = ("embed", tiny_folder(), "--input", path, "--output", tmp_path / "v.npy", *ONE_THREAD)
    predict = ("predict", run_folder, "--input", path, *ONE_THREAD)
    prepare = ("prepare", path, "--model", "albert-nano", "--out", tmp_path / "s")
    for command in (embed, predict, prepare):
        told = albertkit(*command, "--json").failure()
        assert "latin.txt, line 2: byte 0xe9 is not UTF-8; save the file as UTF-8, or pass --encoding" in told
        unknown = albertkit(*command, "--encoding", "cp12522", "--json")
        assert unknown.status == 2
        assert 'unknown encoding "cp12522"; did you mean "cp1252"?' in unknown.err
    assert [row["text"] for row in albertkit(*predict, "--encoding", "cp1252", "--json").rows] == TEXTS
    assert albertkit(*embed, "--encoding", "cp1252", "--json").json["texts"] == 2
    assert albertkit(*prepare, "--encoding", "cp1252", "--json").json["documents"] == 1
    changed = albertkit(*prepare, "--encoding", "latin-1", "--json").failure()
    assert "encoding was 'cp1252' and is 'latin-1'" in changed
    both = albertkit(*prepare, "--encoding", "cp1252", "--bad-bytes", "replace")
    assert (both.status, "bad-bytes replace works only with UTF-8" in both.err) == (2, True)


def test_finetune_and_evaluate_with_an_encoding_and_labels_by_position(albertkit: Runner, tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    rows = [{"text": f"caf\u00e9 {number}", "labels": [number % 2, 1, 0]} for number in range(24)]
    path.write_bytes("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode("cp1252"))
    run = tmp_path / "run"
    finetune = ("finetune", "--model", tiny_folder(), "--data", path, "--out", run, "--epochs", "1", *ONE_THREAD)
    assert "line 1: byte 0xe9 is not UTF-8" in albertkit(*finetune, "--json").failure()
    told = albertkit(*finetune, "--encoding", "cp1252", "--json").failure()
    assert 'column "labels" holds lists of 3 zeros and ones, which do not name the labels' in told
    assert "with --labels a,b,c" in told
    named = ("--labels", "sport, money,health", "--encoding", "cp1252")
    report = albertkit(*finetune, *named, "--no-baseline", "--json").json
    assert any("only 2 rows select the epoch and give the score" in note for note in report["notes"])
    assert json.loads((run / "config.json").read_text())["labels"] == ["sport", "money", "health"]
    found = albertkit("evaluate", run, "--data", path, "--encoding", "cp1252", *ONE_THREAD, "--json").json
    assert (found["task"], found["examples"]) == ("multilabel", 24)
    row = albertkit("predict", run, "a", *ONE_THREAD, "--json").rows[0]
    assert set(row["probabilities"]) == {"sport", "money", "health"}
    wrong = albertkit(*finetune, "--labels", "a,,b", "--json")
    assert (wrong.status, "is not a list of different names" in wrong.err) == (2, True)


def test_a_delimiter_is_noted(albertkit: Runner, run_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("text;n\na fine film;1\n")
    outcome = albertkit("predict", run_folder, "--input", path, *ONE_THREAD, "--json")
    assert [row["text"] for row in outcome.rows] == ["a fine film"]
    assert "the columns are separated by a semicolon" in outcome.err
    outcome = albertkit("embed", tiny_folder(), "--input", path, "--output", tmp_path / "v.npy", *ONE_THREAD, "--json")
    assert "note:" in outcome.err
    assert "the columns are separated by a semicolon" in outcome.err
