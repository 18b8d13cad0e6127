"""`albertkit predict`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.running import ONE_THREAD, Runner
from tests.tiny import leftovers, tiny_folder, write_csv

from albertkit.datasets import text_files

TEXTS = ["a splendid film", "a dreadful film"]


def test_json_is_one_row_a_text(albertkit: Runner, run_folder: Path) -> None:
    outcome = albertkit("predict", run_folder, *TEXTS, *ONE_THREAD, "--json")
    assert outcome.status == 0
    assert [list(row) for row in outcome.rows] == [["text", "label", "probabilities"]] * 2
    assert [(row["text"], row["label"]) for row in outcome.rows] == list(zip(TEXTS, ("good", "bad"), strict=True))


def test_text(albertkit: Runner, run_folder: Path) -> None:
    lines = albertkit("predict", run_folder, *TEXTS, *ONE_THREAD).out.splitlines()
    assert [line.split("\t")[1] for line in lines] == TEXTS
    assert [line.split()[0] for line in lines] == ["good", "bad"]


@pytest.mark.parametrize("kind", ["lines", "table"])
def test_a_file_in_and_a_file_out(kind: str, albertkit: Runner, run_folder: Path, tmp_path: Path) -> None:
    given = tmp_path / ("in.txt" if kind == "lines" else "in.csv")
    if kind == "lines":
        given.write_bytes("\n".join([*TEXTS, "", "caf\u00e9\u2028x"]).encode() + b"\n")
    else:
        write_csv(given, [(text,) for text in [*TEXTS, "", "caf\u00e9\u2028x"]], columns=("text",))
    out = tmp_path / "out.jsonl"
    outcome = albertkit("predict", run_folder, "--input", given, "--output", out, *ONE_THREAD)
    assert (outcome.status, outcome.out) == (0, "")
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").split("\n")[:-1]]
    assert [row["text"] for row in rows] == [*TEXTS, "", "caf\u00e9\u2028x"]
    assert not leftovers(tmp_path)


def test_an_empty_file_is_no_text(albertkit: Runner, run_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("")
    outcome = albertkit("predict", run_folder, "--input", tmp_path / "in.txt", *ONE_THREAD, "--json")
    assert (outcome.status, outcome.out) == (0, "")


def test_bad_files_and_models(albertkit: Runner, run_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes(b"fine\ncaf\xe9\n")
    words = albertkit("predict", run_folder, "--input", tmp_path / "latin.txt", "--json").failure()
    assert "latin.txt, line 2: byte 0xe9 is not UTF-8" in words
    headless = albertkit("predict", tiny_folder(), "a", *ONE_THREAD, "--json")
    assert (headless.status, headless.out) == (2, "")
    assert "has no task head; fine-tune it first" in headless.err


def test_piece_by_piece_is_the_same(
    albertkit: Runner, run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [" ".join([*TEXTS[number % 2].split(), "film"] * (1 + number % 5)) for number in range(20)]
    given, out = tmp_path / "in.txt", tmp_path / "out.jsonl"
    given.write_text("\n".join(texts))
    whole = albertkit("predict", run_folder, "--input", given, *ONE_THREAD, "--json").rows
    monkeypatch.setattr(text_files, "ROWS", 7)
    outcome = albertkit("predict", run_folder, "--input", given, "--output", out, *ONE_THREAD)
    assert f"20 predictions: {out}" in outcome.err
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(row["text"], row["label"]) for row in rows] == [(row["text"], row["label"]) for row in whole]
    for row, other in zip(rows, whole, strict=True):
        assert row["probabilities"] == pytest.approx(other["probabilities"], abs=1e-5)


def test_files_that_are_refused_before_anything_is_written(
    albertkit: Runner, run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_files, "ROWS", 2)
    out = tmp_path / "out.jsonl"
    out.write_text("older")
    (tmp_path / "a.csv").write_text("text,n\na,1\nb,2\nc\nd,4\n")
    (tmp_path / "b.csv").write_text("text,n\n")
    (tmp_path / "c.jsonl").write_text('{"text": "a", "text": "b"}\n')
    for name, words in (
        ("a.csv", "a.csv, line 4: 1 column instead of 2; repair the file"),
        ("b.csv", "b.csv: no usable row"),
        ("c.jsonl", 'line 1: the key "text" is there twice in one object'),
        ("", "is a folder; give one file: texts one per line, or a table"),
    ):
        arguments = ("--input", tmp_path / name, "--output", out, *ONE_THREAD)
        assert words in albertkit("predict", run_folder, *arguments).failure()
    assert out.read_text() == "older"
    assert not leftovers(tmp_path)
