"""docs/guide/multiple_choice.md, run on the small files that it holds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.running import ONE_THREAD, Runner
from tests.docs.guide import TO_THE_END, run_guide


def test_the_page_runs(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes = run_guide(
        "multiple_choice.md",
        folder=tmp_path,
        capfd=capfd,
        monkeypatch=monkeypatch,
        small=TO_THE_END,
        guessed=("choice", "option"),
    )
    assert len(outcomes) == 4
    run = tmp_path / "runs" / "quiz"
    report = json.loads((run / "report.json").read_text())
    assert report["chosen_by"]["split"] == "34% of train by passage (seed 12345)"
    assert {baseline["name"] for baseline in report["baselines"]} == {"longest_option", "guessing"}
    rows = outcomes[-1].rows
    assert [set(row) for row in rows] == [{"id", "text", "choice", "option", "probabilities"}] * 2
    assert json.loads((run / "test.json").read_text()) == {row["id"]: "ABC"[row["choice"]] for row in rows}

    albertkit = Runner(capfd, monkeypatch)
    ours = albertkit("evaluate", run, "--data", "quiz", "--split", "test", *ONE_THREAD, "--json").json
    theirs = albertkit("score", "quiz", "--split", "test", "--predictions", run / "test.json", "--json").json
    assert theirs["metrics"] == ours["metrics"] == {"accuracy": report["metrics"]["accuracy"]}
    refused = albertkit("evaluate", run, "--data", "quiz", "--null-threshold", "1", *ONE_THREAD)
    assert (refused.status, "works only for question answering" in refused.err) == (2, True)
