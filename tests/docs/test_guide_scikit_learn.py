"""docs/guide/scikit-learn.md runs from data to result."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.docs.guide import run_guide
from tests.tiny import without_pictures


def test_the_page_runs(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    without_pictures(monkeypatch)  # of runs that leave nothing behind
    outcomes = run_guide("scikit-learn.md", folder=tmp_path, capfd=capfd, monkeypatch=monkeypatch)
    assert [outcome.json["label"] in ("negative", "positive") for outcome in outcomes] == [True]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["film-model"]
