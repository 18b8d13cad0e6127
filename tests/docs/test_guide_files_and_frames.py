"""docs/guide/files_and_frames.md runs from data to result."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from tests.docs.guide import run_guide


def test_the_page_runs(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyarrow")
    pytest.importorskip("pandas")
    outcomes = run_guide("files_and_frames.md", folder=tmp_path, capfd=capfd, monkeypatch=monkeypatch)
    with (tmp_path / "predicted.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    given = ["id", "review", "stars", "label"]
    assert rows[0] == [*given, "predicted_label", "probability_bad", "probability_good"]
    assert [row[:4] for row in rows] == list(csv.reader((tmp_path / "reviews.csv").read_text().splitlines()))
    found = json.loads(outcomes[-1].out)
    assert [list(row) for row in found] == [["text", "similarity", "id", "stars", "label"]] * 2
    accuracy, columns, shape = capfd.readouterr().out.splitlines()
    assert 0 <= float(accuracy) <= 100
    assert columns == str(rows[0])
    assert shape == "(6, 256)"
