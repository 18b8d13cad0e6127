"""docs/guide/scikit-learn.md runs from data to result."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.docs.guide import run_guide


def test_the_page_runs(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("plot_history", "plot_confusion", "plot_reliability"):  # pictures of runs that leave nothing behind
        monkeypatch.setattr(f"albertkit.training.finish.{name}", lambda *_, **__: None)
    outcomes = run_guide("scikit-learn.md", folder=tmp_path, capfd=capfd, monkeypatch=monkeypatch)
    assert [outcome.json["label"] in ("negative", "positive") for outcome in outcomes] == [True]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["film-model"]
