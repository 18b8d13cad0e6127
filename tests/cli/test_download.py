"""`albertkit download`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.cli.running import Runner
from tests.local_server import Served, Server, hub_paths, serving

from albertkit.datasets import sources
from albertkit.hub.known_models import model_cache
from albertkit.text.vocabulary import official_vocabulary

SPIECE = official_vocabulary()
FILES = {"config.json": b"{}", "spiece.model": SPIECE.read_bytes(), "model.safetensors": bytes(9001)}


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("ALBERTKIT_CACHE", str(tmp_path / "cache"))
    for name in ("ALBERTKIT_OFFLINE", "HF_HUB_OFFLINE", "ALBERTKIT_YES"):
        monkeypatch.delenv(name, raising=False)
    with serving(hub_paths("albert/albert-base-v2", FILES, large=("model.safetensors",))) as server:
        monkeypatch.setenv("ALBERTKIT_HUB_URL", server.url)
        monkeypatch.setenv("ALBERTKIT_MIRROR_URL", server.url)
        yield server


def test_a_model(albertkit: Runner, hub: Server) -> None:
    outcome = albertkit("download", "albert-base-v2", "--yes", "--json")
    folder = model_cache("albert-base-v2", "hub")
    assert outcome.json == {
        "name": "albert-base-v2",
        "folder": str(folder),
        "files": sorted(FILES),
        "bytes": sum(map(len, FILES.values())),
    }
    asked = len(hub.requests)
    assert albertkit("download", "albert-base-v2", "--offline", "--verify").out == f"{folder}\n"
    assert len(hub.requests) == asked
    (folder / "config.json").write_bytes(b"[]")
    failure = albertkit("download", "albert-base-v2", "--verify").failure()
    assert f"{folder}: config.json changed since the download" in failure
    rows = albertkit("models", "--json").json
    assert [row["name"] for row in rows if row["cached"]] == ["albert-nano", "albert-base-v2"]


def test_without_consent(albertkit: Runner, hub: Server) -> None:
    failure = albertkit("download", "albert-base-v2", given="y\n").failure()
    assert "no terminal to ask for consent. To download it, run: albertkit download albert-base-v2 --yes" in failure
    assert "downloads are turned off" in albertkit("download", "albert-base-v2", "--yes", "--offline").failure()
    assert hub.requests == []


@pytest.mark.usefixtures("hub")
def test_consent_by_the_environment(albertkit: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALBERTKIT_YES", "1")
    assert albertkit("download", "albert-base-v2").status == 0


@pytest.mark.usefixtures("hub")
def test_a_source_that_has_nothing(albertkit: Runner) -> None:
    failure = albertkit("download", "albert-base-v2", "--yes", "--source", "google").failure()
    assert "the server has no such file (404)" in failure


@pytest.mark.usefixtures("hub")
def test_the_shipped_model_and_unknown_names(albertkit: Runner) -> None:
    assert "model.safetensors" in albertkit("download", "albert-nano", "--json").json["files"]
    outcome = albertkit("download", "albert-base-v4")
    assert (outcome.status, outcome.out) == (2, "")
    assert 'no known model or data set "albert-base-v4"; did you mean "albert-base-v' in outcome.err
    assert albertkit("download", "glue/rtee", "--yes").status == 2


def test_a_data_set(albertkit: Runner, hub: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"an archive"
    ((name, file),) = sources.DATASET_DOWNLOADS["glue/rte"].files.items()
    ours = replace(file, size=len(content), sha256=hashlib.sha256(content).hexdigest())
    download = replace(sources.DATASET_DOWNLOADS["glue/rte"], files={name: ours})
    monkeypatch.setitem(sources.DATASET_DOWNLOADS, "glue/rte", download)  # type: ignore[arg-type]
    hub.paths[f"/{file.url.removeprefix('https://')}"] = Served(content)
    summary = albertkit("download", "glue/rte", "--yes", "--json").json
    assert (summary["files"], summary["bytes"]) == (["RTE.zip"], len(content))
    assert summary["folder"].endswith("glue-rte/RTE.zip")
