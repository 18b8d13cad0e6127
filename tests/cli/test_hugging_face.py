"""hf: on the command line: download, fine-tune, evaluate, audit and what the report says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.running import SHORT, Runner
from tests.local_hub import Hub, local_hub
from tests.tiny import keyword_rows

pytest.importorskip("datasets")
# The library leaves CSV files open before 5.2.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALBERTKIT_CACHE", str(tmp_path / "cache"))
    for name in ("ALBERTKIT_OFFLINE", "HF_HUB_OFFLINE", "ALBERTKIT_YES", "ALBERTKIT_HUB_URL"):
        monkeypatch.delenv(name, raising=False)
    rows = [",".join(row) for row in keyword_rows(120)]
    content = {
        f"{split}.csv": "\n".join(["text,label", *rows[start::3]]).encode()
        for start, split in enumerate(("train", "validation", "test"))
    }
    with local_hub() as served:
        served.add_dataset("org/films", content)
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        yield served


def test_from_the_hub_to_a_report(albertkit: Runner, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = next(iter(hub.repositories["datasets/org/films"].commits))
    words = [*SHORT, "--data", "hf:org/films"]
    refused = albertkit("finetune", *words)
    assert (refused.status, hub.requests) == (1, [])
    assert "To download it, run: albertkit download hf:org/films --yes" in refused.err
    assert albertkit("finetune", "--data", "hf:org/none").status == 1
    shown = albertkit("download", "hf:org/films", "--yes", "--verify", "--json").json
    assert (shown["name"], Path(shown["folder"]).is_dir()) == ("hf:org/films", True)
    monkeypatch.setenv("ALBERTKIT_OFFLINE", "1")
    report = albertkit("finetune", *words, "--json").json
    assert (report["data"], report["split"]) == (f"hf:org/films@{commit}", "test")
    run = Path("runs/films")
    assert "--data hf:org/films --out runs/films-again" in (run / "report.html").read_text()
    card = (run / "model" / "README.md").read_text()
    assert 'datasets:\n- "org/films"\n' in card
    assert f'revision: "{commit}"' in card
    again = albertkit("evaluate", run, "--data", "hf:org/films", "--as-trained", "--json").json
    assert again["metrics"]["accuracy"] == pytest.approx(report["metrics"]["accuracy"])
    assert json.loads((run / "config.json").read_text())["data"] == "hf:org/films"
    elsewhere = albertkit("evaluate", run, "--data", "polarity", "--as-trained")
    assert "was trained on hf:org/films, not on polarity" in elsewhere.err
