"""docs/guide/explanations.md is true: every command and line of Python in it runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.docs.guide import run_guide

SHORT = ("--limit", "100", "--steps", "2", "--batch-size", "4", "--max-length", "12", "--no-baseline")


def test_the_page_runs(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("captum")
    small = {"finetune": SHORT, "evaluate": ("--limit", "100")}
    outcomes = run_guide("explanations.md", folder=tmp_path, capfd=capfd, monkeypatch=monkeypatch, small=small)
    trained, shown, page, row, scored = outcomes
    assert "calibrat" in trained.err + trained.out
    assert "a small wonder, slow but never dull" in shown.out.splitlines()[1]
    assert "explanations: why.html" in page.err
    assert "<script" not in (tmp_path / "why.html").read_text(encoding="utf-8")
    explanation = row.json["explanation"]
    assert (explanation["label"], explanation["method"]) == ("positive", "occlusion")
    assert explanation["base"] == pytest.approx(row.json["probabilities"]["positive"])
    assert [word["text"] for word in explanation["words"]] == "a small wonder , slow but never dull".split()
    assert "Expected calibration error" in scored.out
    assert (tmp_path / "runs" / "reviews" / "plots" / "reliability.png").stat().st_size > 0
