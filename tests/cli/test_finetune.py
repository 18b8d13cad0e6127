"""`albertkit finetune`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.running import ONE_THREAD, SHORT, Runner
from tests.tiny import keyword_rows, tiny_folder, write_csv


def test_json_is_the_report(albertkit: Runner, keywords: Path, tmp_path: Path) -> None:
    outcome = albertkit("finetune", "--data", keywords, "--out", tmp_path / "run", *SHORT, "--json")
    assert outcome.status == 0
    found = outcome.json
    keys = {"task", "data", "model", "metrics", "split", "best_epoch", "epochs", "seconds"}
    assert keys <= set(found)
    assert found == json.loads((tmp_path / "run" / "report.json").read_text())
    assert (found["task"], found["data"], found["model"]) == ("classification", str(keywords), str(tiny_folder()))
    assert all(set(epoch) == {"train", "validation"} for epoch in found["epochs"])
    assert {"loss", "accuracy"} <= set(found["epochs"][0]["validation"])
    assert "epoch 1: training loss" in outcome.err
    assert "\x1b" not in outcome.err  # no bar, no colour where it is no terminal
    for name in ("model", "plots/history.png", "metrics.jsonl", "checkpoints"):
        assert (tmp_path / "run" / name).exists()


class SlowClock:
    """Replaces the module `time` where progress is printed: six seconds pass with every look at it."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        self.now += 6
        return self.now


def test_progress_is_written_where_standard_error_is_no_terminal(
    albertkit: Runner, keywords: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ALBERTKIT_PROGRESS")
    monkeypatch.setattr("albertkit.io.progress.time", SlowClock())
    run = tmp_path / "run"
    trained = albertkit("finetune", "--data", keywords, "--out", run, *SHORT, "--json")
    assert trained.json["task"] == "classification"
    lines = trained.err.splitlines()
    assert any(line.startswith("training: 2 of 3, 0.17/s, 6 s left, epoch 1, loss ") for line in lines), lines
    assert any(line.startswith("validation: ") for line in lines)
    (tmp_path / "in.txt").write_text("a fine film\nno\n")
    vectors = ("--input", tmp_path / "in.txt", "--output", tmp_path / "v.npy", *ONE_THREAD, "--json")
    for command, arguments, word in (
        ("evaluate", ("--data", keywords, *ONE_THREAD, "--json"), "scoring: 120 of 120"),
        ("predict", ("--input", tmp_path / "in.txt", *ONE_THREAD, "--json"), "predicting: 2 of 2"),
        ("embed", vectors, "embedding: 2 of "),
    ):
        outcome = albertkit(command, run, *arguments)
        assert word in outcome.err
        assert outcome.rows
    monkeypatch.setenv("ALBERTKIT_PROGRESS", "0")
    assert "scoring: " not in albertkit("evaluate", run, "--data", keywords, *ONE_THREAD).err


def test_the_verdict_is_told_last_or_on_standard_error(albertkit: Runner, keywords: Path, tmp_path: Path) -> None:
    told = albertkit("finetune", "--data", keywords, "--out", tmp_path / "one", *SHORT, "--learning-rate", "1e-9").out
    shown = " ".join(" ".join(told.splitlines()[:-1]).split()).partition("Verdict: ")[2]
    kept = json.loads((tmp_path / "one" / "report.json").read_text())["verdict"]
    assert shown == f"{kept['sentence']} Try: {'; '.join(kept['advice'])}."
    assert "train longer (--steps 12)" in shown
    many = write_csv(tmp_path / "many.csv", keyword_rows(600))
    outcome = albertkit("finetune", "--data", many, "--out", tmp_path / "two", *SHORT, "--json")
    said = outcome.json["verdict"]
    assert f"Verdict: {said['sentence']}" in outcome.err
    assert said["baseline"] == "majority"


def test_the_text_ends_with_the_run_directory(albertkit: Runner, keywords: Path, tmp_path: Path) -> None:
    arguments = ("--freeze-encoder", "--head-hidden", "8,4", "--head-norm", "batch", "--pooling", "mean")
    outcome = albertkit("finetune", "--data", keywords, "--out", tmp_path / "run", *SHORT, *arguments)
    assert (
        outcome.out.splitlines()[-1] == f"run directory: {tmp_path / 'run'} (report.html, report.json, model/, plots/)"
    )
    kept = json.loads((tmp_path / "run" / "config.json").read_text())
    assert (kept["head_hidden"], kept["pooling"]) == ([8, 4], "mean")
    assert "Adding a new, untrained classification layer (2 labels, hidden layers 8-4)." in outcome.err


def test_the_run_is_named_by_its_data(
    albertkit: Runner, keywords: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert albertkit("finetune", "--data", keywords, *SHORT).status == 0
    assert (tmp_path / "runs" / "keywords" / "report.json").is_file()


def test_an_existing_run_is_left_alone(albertkit: Runner, run_folder: Path, keywords: Path) -> None:
    before = (run_folder / "report.json").read_bytes()
    words = albertkit("finetune", "--data", keywords, "--out", run_folder, *SHORT, "--json").failure()
    assert "exists and is not empty; give another --out or --resume to continue" in words
    words = albertkit("finetune", "--data", keywords, "--out", run_folder, *SHORT, "--resume", "--json").failure()
    assert "a run continues with the settings it started with" in words
    assert (run_folder / "report.json").read_bytes() == before


def test_a_known_data_set_with_another_task_is_refused(albertkit: Runner, tmp_path: Path) -> None:
    arguments = ("--data", "polarity", "--task", "regression", "--out", tmp_path / "run", *SHORT, "--json")
    outcome = albertkit("finetune", *arguments)
    assert (outcome.status, outcome.out) == (2, "")
    assert "polarity, which is a classification data set" in outcome.err
    assert not (tmp_path / "run").exists()
