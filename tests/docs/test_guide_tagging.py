"""docs/guide/tagging.md, run on the small files that it holds."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.running import ONE_THREAD, Runner
from tests.docs.guide import TO_THE_END, run_guide


def test_the_page_runs(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes = run_guide("tagging.md", folder=tmp_path, capfd=capfd, monkeypatch=monkeypatch, small=TO_THE_END)
    *_, predicted = outcomes
    assert len(outcomes) == 4
    assert predicted.json["words"] == [[0, 6], [7, 11], [12, 15], [16, 21], [22, 23], [24, 26], [27, 31]]
    assert set(predicted.json) == {"text", "tags", "words", "entities"}
    lines = (tmp_path / "runs" / "tickets" / "test.conll").read_text().split("\n")
    assert [line.split("\t")[:2] for line in lines[:5]] == [
        ["An", "O"], ["Orbit", "B-PRODUCT"], ["2", "I-PRODUCT"], ["for", "O"], ["Lagos", "B-PLACE"],
    ]  # fmt: skip

    albertkit = Runner(capfd, monkeypatch)
    ours = albertkit("evaluate", "runs/tickets", "--data", "tickets", "--split", "test", *ONE_THREAD, "--json").json
    theirs = albertkit(
        "score", "tickets", "--split", "test", "--predictions", "runs/tickets/test.conll", "--json"
    ).json  # fmt: skip
    assert theirs["metrics"] == ours["metrics"]
