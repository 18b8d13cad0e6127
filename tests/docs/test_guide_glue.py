"""docs/guide/glue.md, run on a made-up GLUE."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.docs.guide import run_guide
from tests.tiny_glue import write_glue


def test_the_page_runs(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    write_glue(tmp_path / "glue_data", ["cola", "mnli", "rte"], rows=6, test_rows=3)
    small = ("--limit", "6", "--steps", "1", "--batch-size", "4", "--max-length", "24")
    outcomes = run_guide("glue.md", folder=tmp_path, capfd=capfd, monkeypatch=monkeypatch, small={"glue": small})
    assert len(outcomes) == 5
    trial, whole, seeds, score, prediction = outcomes
    assert "Only the first 6 examples of each split trained and scored." in trial.out
    assert "STS-B is missing" in whole.out
    assert "MNLI seed 1" in whole.err
    assert "RTE, seeds 1 to 3: acc" in seeds.out
    assert "CoLA" in json.loads((tmp_path / "runs" / "glue" / "table.json").read_text())["tasks"][0]["name"]
    assert "accuracy" in score.out.lower()
    assert "entailment" in prediction.out
    for name in ("CoLA/seed-1/model", "RTE/seed-1/dev.tsv", "RTE/seed-3", "submission-incomplete.zip", "table.md"):
        assert (tmp_path / "runs" / "glue" / name).exists(), name
