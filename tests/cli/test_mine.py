"""`albertkit mine`: from pairs and a corpus to a table that `finetune` trains on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.running import ONE_THREAD, Runner
from tests.tiny import BAD, GOOD, tiny_folder, write_csv

PAIRS = [(f"a {word} film", f"the {word} story") for word in (*GOOD, *BAD)]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_csv(tmp_path / "pairs.csv", PAIRS, columns=("anchor", "positive"))


def test_what_is_mined_trains(albertkit: Runner, data: Path, tmp_path: Path) -> None:
    (tmp_path / "corpus.txt").write_text("\n".join([*(f"one {word} plot" for word in BAD), "", PAIRS[0][1]]))
    arguments = ("mine", tiny_folder(), "--data", data, "--corpus", tmp_path / "corpus.txt", *ONE_THREAD)
    options = ("--relative-margin", "0", "--negatives", "2", "--range-max", "9")
    found = albertkit(*arguments, *options, "--output", tmp_path / "t.jsonl", "--json").json
    rows = [json.loads(line) for line in (tmp_path / "t.jsonl").read_text().splitlines()]
    assert (found["pairs"], found["corpus"], found["triplets"]) == (10, 15, len(rows))
    assert [list(row) for row in rows] == [["anchor", "positive", "negative"]] * len(rows)
    again = albertkit(*arguments, *options, "--output", tmp_path / "t.csv")
    assert "triplets of 10 pairs and 15 texts" in again.out
    report = albertkit(
        "finetune", "--model", tiny_folder(), "--data", tmp_path / "t.jsonl", "--out", tmp_path / "run",
        "--epochs", "1", "--no-baseline", *ONE_THREAD, "--json",
    ).json  # fmt: skip
    assert (report["task"], "triplet/accuracy" in report["metrics"]) == ("similarity", True)


def test_notes_about_workbooks(albertkit: Runner, tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for line in [("anchor", "positive"), *PAIRS]:
        book.active.append(line)
    book.create_sheet("Notes")["A1"] = "x"
    book.save(tmp_path / "a.xlsx")
    files = ("--data", tmp_path / "a.xlsx", "--corpus", tmp_path / "a.xlsx", "--corpus-column", "positive")
    arguments = ("mine", tiny_folder(), *files, "--relative-margin", "0", *ONE_THREAD)
    outcome = albertkit(*arguments, "--output", tmp_path / "t.csv")
    assert outcome.status == 0
    assert outcome.err.count("a.xlsx: read the first sheet, Sheet; not read: Notes") == 2
    assert "must end in .jsonl, .csv" in albertkit(*arguments, "--output", tmp_path / "t.xlsx").err


def test_pairs_with_numbers_need_a_threshold(albertkit: Runner, tmp_path: Path) -> None:
    rows = [(*pair, str(number)) for number, pair in enumerate(PAIRS)]
    data = write_csv(tmp_path / "scored.csv", rows, columns=("text1", "text2", "label"))
    arguments = ("mine", tiny_folder(), "--data", data, "--output", tmp_path / "t.csv", *ONE_THREAD, "--json")
    outcome = albertkit(*arguments)
    assert outcome.status == 2
    assert "the labels of the pairs differ; say with --threshold which" in outcome.err
    assert albertkit(*arguments, "--threshold", "6").json["pairs"] == 4
    assert "no pair has a number of 99 or more" in albertkit(*arguments, "--threshold", "99").err


def test_refusals(albertkit: Runner, data: Path, tmp_path: Path) -> None:
    arguments = ("mine", tiny_folder(), "--data", data)
    assert 't.txt" must end in .jsonl' in albertkit(*arguments, "--output", tmp_path / "t.txt").err
    single = write_csv(tmp_path / "single.csv", [("a", "1"), ("b", "0")])
    outcome = albertkit("mine", tiny_folder(), "--data", single, "--output", tmp_path / "t.csv")
    assert "mining needs two texts per row" in outcome.failure()
    (tmp_path / "empty.txt").write_text("\n\n")
    outcome = albertkit(*arguments, "--corpus", tmp_path / "empty.txt", "--output", tmp_path / "t.csv")
    assert "empty.txt: holds no text" in outcome.err
    outcome = albertkit(*arguments, "--relative-margin", "2", "--output", tmp_path / "t.csv", *ONE_THREAD)
    assert "no negative is left for any of 10 pairs; lower --relative-margin" in outcome.err
    assert not (tmp_path / "t.csv").exists()
    before = data.read_bytes()
    assert 'pairs.csv" is the --data itself; give another file' in albertkit(*arguments, "--output", data).err
    assert data.read_bytes() == before
