"""docs/guide/question_answering.md, run on the small files that it holds."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from tests.cli.running import ONE_THREAD, Runner
from tests.docs.guide import TO_THE_END, run_guide

NAMED = re.compile(r"log odds of that exceed\s+(\S+)")


def test_the_page_runs(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes = run_guide(
        "question_answering.md", folder=tmp_path, capfd=capfd, monkeypatch=monkeypatch, small=TO_THE_END
    )
    trained, evaluated, scored, with_odds, predicted = outcomes
    run = tmp_path / "runs" / "manuals"
    report = json.loads((run / "report.json").read_text())
    assert report["split"] == "20% of train by article (seed 12345)"
    assert report["task"] == "question_answering_null"
    assert {"exact", "f1", "best_exact", "best_f1"} <= set(report["metrics"])
    kept = json.loads((run / "model" / "task.json").read_text())["null_threshold"]
    assert NAMED.search(evaluated.out.replace("\n", " "))
    assert {path.name for path in (run / "scored").iterdir()} == {
        "predictions.json", "null_odds.json", "nbest_predictions.json", "answers_before_threshold.json",
    }  # fmt: skip
    assert "8 of 10 questions have no prediction and are left out" in scored.out.replace("\n", " ")
    assert "best_exact_thresh" in with_odds.out
    assert set(predicted.json) == {
        "text", "pair", "answer", "start", "end", "probability", "n_best", "no_answer_odds",
    }  # fmt: skip
    assert trained.status == 0

    albertkit = Runner(capfd, monkeypatch)
    common = ("evaluate", run, "--data", "manuals.json", "--as-trained", "--json", *ONE_THREAD)
    ours = albertkit(*common, "--predictions", "again").json
    assert ours["metrics"] == pytest.approx(report["metrics"])
    theirs = albertkit(
        "score", "manuals.json", "--predictions", "again/answers_before_threshold.json",
        "--null-odds", "again/null_odds.json", "--null-threshold", str(kept), "--json",
    ).json  # fmt: skip
    assert theirs["metrics"] == {name: ours["metrics"][name] for name in ("exact", "f1", "best_exact", "best_f1")}
    never = albertkit(*common, "--null-threshold", "-1e9").json["metrics"]
    assert (never["HasAns/f1"], never["NoAns/f1"]) == (0.0, 100.0)
    assert (never["best_f1"]) == ours["metrics"]["best_f1"]
    refused = albertkit(*common, "--split", "train")
    assert (refused.status, "leave --split out" in refused.err) == (2, True)
