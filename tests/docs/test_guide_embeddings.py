"""docs/guide/embeddings.md runs from data to result."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.docs.guide import run_guide


def test_the_page_runs(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    outcomes = run_guide("embeddings.md", folder=tmp_path, capfd=capfd, monkeypatch=monkeypatch, small={"nearest": ()})
    assert [len(outcome.out.splitlines()) for outcome in outcomes[:2]] == [1, 3]
    table = parquet.read_table(tmp_path / "questions.parquet")
    assert table.column_names == ["text", "vector", "id"]
    assert table["id"].to_pylist() == ["1", "2", "3", "4", "5", "6"]
    assert "similarity" in outcomes[3].out
    found = json.loads(outcomes[-1].out)
    assert [list(row) for row in found] == [["text", "similarity", "id"]] * 3
    assert "(2, 384)" in capfd.readouterr().out
