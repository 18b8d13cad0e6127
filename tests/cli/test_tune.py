"""`albertkit tune`: a table, JSON, and a command that can be given as it is."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from tests.cli.running import ONE_THREAD, Runner
from tests.tiny import tiny_folder

pytest.importorskip("optuna")

OPTIONS = ("--model", tiny_folder(), "--batch-size", "16", "--max-length", "16", "--no-freeze-encoder",
           "--epochs", "1:2", "--pooling", "mean", "--trials", "2", *ONE_THREAD)  # fmt: skip


def test_the_table_the_json_and_the_command(albertkit: Runner, keywords: Path, tmp_path: Path) -> None:
    out = tmp_path / "search"
    outcome = albertkit("tune", "--data", keywords, "--out", out, *OPTIONS, "--json")
    assert outcome.status == 0, outcome.err
    report = outcome.json
    assert report == json.loads((out / "tune.json").read_text())
    assert {"settings", "value", "state"} <= report["trials"][0].keys()
    assert report["best"]["value"] == max(trial["value"] for trial in report["trials"])
    again = albertkit("tune", "--data", keywords, "--out", out, *OPTIONS)
    assert "best: trial" in again.out
    assert report["command"] in again.out
    assert len(list(out.glob("trial-*"))) == 2, "the second call found the search complete"
    best = albertkit(*shlex.split(report["command"])[1:], "--no-baseline", "--json")
    assert best.status == 0, best.err
    reached = best.json["epochs"][best.json["best_epoch"] - 1]["validation"]["accuracy"]
    assert reached == pytest.approx(report["best"]["value"], abs=1e-3)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--learning-rate", "1e-3:x"), '"1e-3:x" is neither LOW:HIGH nor one number'),
        (("--epochs", "1:2.5"), '"1:2.5" is neither LOW:HIGH nor one number'),
        (("--max-length", "64,long"), "is not a list of whole numbers such as 64,128"),
        (("--trials", "0"), "trials is 0; it must be 1 or more"),
        (("--epochs", "3:2"), "epochs is 3:2; give LOW:HIGH"),
    ],
)
def test_mistakes_are_one_sentence(
    albertkit: Runner, keywords: Path, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    outcome = albertkit("tune", "--data", keywords, "--out", tmp_path / "s", *OPTIONS, *arguments)
    assert (outcome.status, words in outcome.err) == (2, True), outcome.err
    assert not (tmp_path / "s").exists()
