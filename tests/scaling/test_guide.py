"""docs/guide/scaling.md runs from data to result; what Ray does is played by a loop."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.docs.guide import run_guide


def test_the_page_runs(
    tmp_path: Path, made: list[str], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pyarrow")
    embed, nearest = run_guide(
        "scaling.md", folder=tmp_path, capfd=capfd, monkeypatch=monkeypatch, small={"embed": (), "nearest": ()}
    )
    assert embed.out.startswith("4 vectors of 384 in 1 part, ")
    assert len(nearest.out.splitlines()) == 1
    assert made == ["part-00000000.parquet"]
