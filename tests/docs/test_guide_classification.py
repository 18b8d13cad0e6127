"""docs/guide/classification.md is true: every command and line of Python in it runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.docs.guide import run_guide
from tests.tiny import without_pictures

SHORT = ("--steps", "1", "--batch-size", "4", "--max-length", "12", "--no-baseline")


def test_the_page_runs(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    without_pictures(monkeypatch)
    outcomes = run_guide(
        "classification.md", folder=tmp_path, capfd=capfd, monkeypatch=monkeypatch, small={"finetune": SHORT}
    )
    assert len(outcomes) == 10
    assert "class weights in the loss: complaint " in outcomes[0].err
    assert "tokens and were read in" in outcomes[1].err
    assert set(outcomes[2].json["probabilities"]) == {"complaint", "question"}
    task = json.loads((tmp_path / "runs" / "long" / "model" / "task.json").read_text())
    assert (task["window_stride"], task["max_windows"]) == (8, 4)
    assert outcomes[5].out.split("\t")[0].split()[0] in {"entailment", "contradiction", "neutral"}
    float(outcomes[7].out.split("\t")[0])
    assert set(outcomes[9].out.split("\t")[0].split(", ")) <= {"delivery", "quality", "(none)"}
