"""`albertkit finetune --few-shot`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.running import ONE_THREAD, Runner
from tests.tiny import keyword_folder, keyword_rows, write_csv


@pytest.fixture
def few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ALBERTKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("albertkit.training.few_shot.contrastive.STEPS", 8)
    return write_csv(tmp_path / "few.csv", keyword_rows(24))


def test_the_run_predicts_evaluates_plots_and_exports(albertkit: Runner, few: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    arguments = ("--model", keyword_folder(), "--data", few, "--out", run, "--max-length", "32", *ONE_THREAD)
    outcome = albertkit("finetune", "--few-shot", *arguments, "--json")
    assert outcome.status == 0
    found = outcome.json
    assert {"task", "data", "model", "metrics", "split", "best_epoch", "epochs", "seconds"} <= set(found)
    assert {"chosen", "candidates", "why"} <= set(found["few_shot"])
    assert found == json.loads((run / "report.json").read_text())
    assert f"chosen: {found['few_shot']['why']}" in outcome.err
    assert (run / "plots" / "history.png").stat().st_size > 0
    label = albertkit("predict", run, "a splendid film", "--json", *ONE_THREAD).json["label"]
    assert label in ("bad", "good")
    scored = albertkit("evaluate", run, "--data", few, "--json", *ONE_THREAD).json
    assert scored["metrics"]["accuracy"] == pytest.approx(found["epochs"][0]["train"]["accuracy"])
    assert albertkit("plot", run, "--out", tmp_path / "plot.png").status == 0
    again = albertkit("finetune", "--few-shot", *arguments)
    assert again.status == 1
    assert "exists and is not empty" in again.err


def test_the_text_shows_the_candidates(albertkit: Runner, few: Path, tmp_path: Path) -> None:
    arguments = ("--model", keyword_folder(), "--data", few, "--out", tmp_path / "run", "--max-length", "32")
    outcome = albertkit("finetune", "--few-shot", "--pooling", "mean", "--no-baseline", *arguments, *ONE_THREAD)
    assert outcome.status == 0
    assert "Cross-validation in 5 folds (* = chosen)" in outcome.out
    assert "contrastive_mean" in outcome.out
    assert "Chosen: " in outcome.out


def test_options_that_do_not_apply_are_one_sentence(albertkit: Runner, few: Path, tmp_path: Path) -> None:
    arguments = ("--model", keyword_folder(), "--data", few, "--out", tmp_path / "run", "--epochs", "3", "--lr", "0.1")
    outcome = albertkit("finetune", "--few-shot", *arguments, *ONE_THREAD)
    assert outcome.status == 2
    assert (
        outcome.err.strip()
        .splitlines()[-1]
        .endswith(
            "--few-shot does not take --epochs, --learning-rate: it finds its own settings by cross-validation on the "
            "training rows; leave them out"
        )
    )
    assert not (tmp_path / "run").exists()
