"""`albertkit push` and ORG/NAME as a MODEL, with huggingface_hub and a hub on this machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.running import ONE_THREAD, Runner
from tests.local_hub import TOKEN, Hub, Repository, local_hub

from albertkit.hub import transfer
from albertkit.io.manifest import changed_files, read_manifest

huggingface_hub = pytest.importorskip("huggingface_hub")
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # the hub's library, of its client


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with local_hub() as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)  # a store of its own, not here
        monkeypatch.setenv("ALBERTKIT_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(transfer, "PAUSES", (0.01,))
        monkeypatch.chdir(tmp_path)
        for name in ("ALBERTKIT_OFFLINE", "HF_HUB_OFFLINE", "ALBERTKIT_YES"):
            monkeypatch.delenv(name, raising=False)
        yield served


def test_a_dry_run_sends_nothing(albertkit: Runner, run_folder: Path, hub: Hub) -> None:
    outcome = albertkit("push", run_folder, "team/film")
    assert outcome.status == 0
    assert "Nothing was sent; add --yes to send it" in outcome.out
    assert "--yes would create a public repository, which everybody can see" in outcome.out
    assert "--yes would create a private repository." in albertkit("push", run_folder, "team/film", "--private").out
    shown = albertkit("push", run_folder, "team/film", "--json").json
    assert {"config.json", "model.safetensors", "task.json", "tokenizer.json", "README.md"} <= set(shown["files"])
    sizes = [(run_folder / "model" / name).stat().st_size for name in shown["files"]]
    assert (shown["bytes"], shown["uploaded"]) == (sum(sizes), False)
    assert hub.requests == []


def test_a_model_goes_up_and_comes_back(
    albertkit: Runner, run_folder: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    (run_folder / "model" / "pytorch_model.bin").write_bytes(b"pickle")
    try:
        sent = albertkit("push", run_folder, "team/film", "--yes", "--json")
    finally:
        (run_folder / "model" / "pytorch_model.bin").unlink()
    assert sent.status == 0, sent.err
    assert sent.json["left_out"] == ["pytorch_model.bin"]
    assert TOKEN not in sent.out + sent.err
    repository = hub.repositories["team/film"]
    (commit,) = repository.commits
    assert sent.json["commit"].endswith(f"/team/film/commit/{commit}")
    for name, content in repository.commits[commit].items():
        assert content == (run_folder / "model" / name).read_bytes()

    hub.requests.clear()
    refused = albertkit("predict", "team/film", "good", *ONE_THREAD)
    assert "team/film is not on this machine and there is no terminal to ask for consent" in refused.failure()
    assert hub.requests == []
    fetched = albertkit("download", "team/film", "--yes", "--json")
    assert fetched.status == 0, fetched.err
    folder = Path(fetched.json["folder"])
    manifest = read_manifest(folder)
    assert manifest is not None
    assert manifest.revision == commit
    assert changed_files(folder) == []
    assert all(authorization == "" for _, _, authorization in hub.requests), "a download sends no token"
    own = albertkit("predict", run_folder, "good", "bad", "--json", *ONE_THREAD)
    assert albertkit("predict", "team/film", "good", "bad", "--json", *ONE_THREAD).out == own.out
    assert albertkit("info", "team/film", "--json").json["config"]["hidden_size"] == 16
    tokens = albertkit("tokenize", "--model", "team/film", given="good\n").out
    assert tokens == albertkit("tokenize", "--model", run_folder, given="good\n").out

    monkeypatch.setenv("ALBERTKIT_YES", "1")
    pinned = albertkit("predict", f"team/film@{commit}", "good", "bad", "--json", *ONE_THREAD)
    assert pinned.out == own.out


def test_what_huggingface_hub_says_of_the_card(albertkit: Runner, run_folder: Path, hub: Hub) -> None:
    assert albertkit("push", run_folder, "team/film", "--yes").status == 0
    assert ("POST", "/api/validate-yaml") in [(method, path) for method, path, _ in hub.requests]
    path = huggingface_hub.hf_hub_download("team/film", "README.md", endpoint=hub.url, cache_dir="hf", token=False)
    assert huggingface_hub.ModelCard.load(path).data.pipeline_tag == "text-classification"


def test_an_older_folder_gets_a_card_on_the_way(albertkit: Runner, hub: Hub) -> None:
    sent = albertkit("push", "albert-nano", "team/nano", "--yes")
    assert sent.status == 0, sent.err
    (files,) = hub.repositories["team/nano"].commits.values()
    assert files["README.md"].startswith(b'---\nlanguage: "en"\nlicense: "apache-2.0"\n')


def test_mistakes_are_one_sentence(
    albertkit: Runner, run_folder: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    outcome = albertkit("push", run_folder, "film", "--yes")
    assert (outcome.status, '"film" is not ORG/NAME of a repository' in outcome.err) == (2, True)
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    failure = albertkit("push", run_folder, "team/film", "--yes").failure()
    assert "team/film was not sent" in failure
    assert "hf_wrong" not in failure
    monkeypatch.setenv("HF_TOKEN", "")
    monkeypatch.setenv("HF_TOKEN_PATH", str(tmp_path / "none"))
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    assert "there is no token for" in albertkit("push", run_folder, "team/film", "--yes").failure()
    monkeypatch.setenv("ALBERTKIT_OFFLINE", "1")
    assert "ALBERTKIT_OFFLINE or HF_HUB_OFFLINE forbids it" in albertkit("push", run_folder, "a/b", "--yes").failure()
    assert "downloads are turned off" in albertkit("predict", "a/b", "x").failure()
    monkeypatch.delenv("ALBERTKIT_OFFLINE")
    monkeypatch.setenv("ALBERTKIT_YES", "1")
    failure = albertkit("predict", "no/such", "x").failure()
    assert 'No model "no/such": ' in failure
    assert "or it is private" in failure
    hub.repositories["team/old"] = Repository(commits={"c" * 40: {"config.json": b"{}", "pytorch_model.bin": b"p"}})
    assert "reads safetensors only, never pickled weights" in albertkit("predict", "team/old", "x").failure()
    failure = albertkit("predict", "team/old@v9", "x").failure()
    assert 'at revision "v9"' in failure


def test_a_mistyped_run_is_no_download(albertkit: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "film").mkdir(parents=True)
    outcome = albertkit("predict", "runs/flim", "x")
    assert (outcome.status, 'No model "runs/flim": not a path' in outcome.err) == (2, True)


def test_a_run_says_which_hub_model_it_began_with(
    albertkit: Runner, run_folder: Path, keywords: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert albertkit("push", run_folder, "team/film", "--yes").status == 0
    monkeypatch.setenv("ALBERTKIT_YES", "1")
    options = ("--steps", "2", "--max-length", "32", "--no-baseline", *ONE_THREAD)
    trained = albertkit("finetune", "--model", "team/film", "--data", keywords, "--out", "next", *options)
    assert trained.status == 0, trained.err
    data = huggingface_hub.ModelCard.load(tmp_path / "next" / "model" / "README.md").data
    assert data.base_model == "team/film"
    assert json.loads((tmp_path / "next" / "config.json").read_text())["model"] == "team/film"
    assert len(hub.repositories) == 1
