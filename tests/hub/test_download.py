"""Downloads from a server that misbehaves: what arrives is whole and proven, or a sentence says what to do."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.local_server import COMMIT, Served, Server, hub_paths, serving
from tests.tiny import files_limited_to

from albertkit.errors import AlbertkitError, UsageError
from albertkit.hub import transfer
from albertkit.hub.consent import DownloadError, Offer, ask, consent_by, granted
from albertkit.hub.download import fetch_model, hub_address, mirrored
from albertkit.hub.known_models import MODEL_DOWNLOADS, SPIECE_SHA256, cached_model_folder, model_cache
from albertkit.io.files import WriteError
from albertkit.io.manifest import MANIFEST, changed_files, read_manifest
from albertkit.io.progress import Silent
from albertkit.text.vocabulary import official_vocabulary

CONTENT = bytes(range(256)) * 9001  # 2.3 MB: several parts, no round number
SPIECE = official_vocabulary()
NAME, REPOSITORY = "albert-base-v2", "albert/albert-base-v2"


@pytest.fixture(autouse=True)
def _quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "PAUSES", (0.01, 0.01, 0.01))
    monkeypatch.setenv("ALBERTKIT_CACHE", str(tmp_path / "cache"))
    for name in ("ALBERTKIT_OFFLINE", "HF_HUB_OFFLINE", "ALBERTKIT_YES", "HF_ENDPOINT", "ALBERTKIT_MIRROR_URL"):
        monkeypatch.delenv(name, raising=False)


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# A known model


def hub_files(**changes: bytes | None) -> dict[str, bytes]:
    files: dict[str, bytes | None] = {
        "config.json": b'{"model_type": "albert"}',
        "spiece.model": SPIECE.read_bytes(),
        "tokenizer.json": b"{}",
        "model.safetensors": CONTENT,
    }
    files |= {name.replace("_json", ".json").replace("__", "."): content for name, content in changes.items()}
    return {name: content for name, content in files.items() if content is not None}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    paths = hub_paths(REPOSITORY, hub_files(), large=("model.safetensors", "spiece.model"))
    with serving(paths) as server:
        monkeypatch.setenv("ALBERTKIT_HUB_URL", server.url + "/")
        yield server


def test_a_model_from_the_hub(hub: Server) -> None:
    assert cached_model_folder(NAME) is None
    folder = fetch_model(NAME, consent=granted)
    assert folder == cached_model_folder(NAME) == model_cache(NAME, "hub")
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.name != MANIFEST} == hub_files()
    manifest = read_manifest(folder)
    assert manifest is not None
    assert (manifest.name, manifest.source, manifest.revision) == (NAME, "hub", COMMIT)
    assert {name: record.sha256 for name, record in manifest.files.items()} == {
        name: sha(content) for name, content in hub_files().items()
    }
    # Only the first question is for main; every file is of the commit that it named.
    assert [path for _, path, _ in hub.requests if "/main/" in path] == [f"/{REPOSITORY}/resolve/main/config.json"]
    assert all(COMMIT in record.url for record in manifest.files.values())
    asked = len(hub.requests)
    assert fetch_model(NAME, consent=ask, offline=True) == folder  # neither asked for nor fetched again
    assert len(hub.requests) == asked


def test_weights_of_another_name_and_files_that_may_be_missing(hub: Server) -> None:
    hub.paths = hub_paths(REPOSITORY, hub_files(model__safetensors=None, tokenizer_json=None, pytorch_model__bin=b"w"))
    folder = fetch_model(NAME, consent=granted)
    assert sorted(path.name for path in folder.iterdir()) == [
        "config.json",
        MANIFEST,
        "pytorch_model.bin",
        "spiece.model",
    ]


def test_a_model_without_weights(hub: Server) -> None:
    hub.paths = hub_paths(REPOSITORY, hub_files(model__safetensors=None))
    with pytest.raises(DownloadError, match=r"has no model.safetensors or pytorch_model.bin; try --source google"):
        fetch_model(NAME, consent=granted)
    assert cached_model_folder(NAME) is None


def test_the_published_hash_of_the_vocabulary_holds(hub: Server) -> None:
    assert sha(SPIECE.read_bytes()) == SPIECE_SHA256
    for large in ((), ("spiece.model",)):  # without and with a hash of the hub's own
        hub.paths = hub_paths(REPOSITORY, hub_files(spiece__model=b"another"), large=large)
        with pytest.raises(DownloadError, match=SPIECE_SHA256):
            fetch_model(NAME, consent=granted)
    assert cached_model_folder(NAME) is None


def test_a_small_file_that_is_not_what_git_has(hub: Server) -> None:
    hub.paths[f"/{REPOSITORY}/resolve/{COMMIT}/config.json"].content = b'{"model_type": "alberta"}'[:24]
    with pytest.raises(DownloadError, match=r"config.json: what arrived has the SHA-1"):
        fetch_model(NAME, consent=granted)


def test_going_on_after_a_cut_between_and_within_files(hub: Server) -> None:
    hub.paths["/store/model.safetensors"].cuts = [900_000, 0, 0, 0]
    with pytest.raises(DownloadError, match="the same command continues"):
        fetch_model(NAME, consent=granted)
    assert cached_model_folder(NAME) is None
    before = len(hub.gets())
    fetch_model(NAME, consent=granted)
    later = hub.gets()[before:]
    assert ("/store/model.safetensors", "bytes=900000-") in later
    assert not any("spiece" in path for path, _ in later)


@pytest.mark.usefixtures("hub")
def test_the_cache_tells_the_truth() -> None:
    folder = fetch_model(NAME, consent=granted)
    assert changed_files(folder) == []
    weights = folder / "model.safetensors"
    weights.write_bytes(CONTENT[::-1])  # of the same size: seen when it is hashed
    assert cached_model_folder(NAME) == folder
    assert changed_files(folder) == ["model.safetensors"]
    weights.write_bytes(b"short")
    assert cached_model_folder(NAME) is None
    assert fetch_model(NAME, consent=granted) == folder
    assert weights.read_bytes() == CONTENT


def test_files_put_there_by_hand() -> None:
    folder = model_cache(NAME, "hub")
    folder.mkdir(parents=True)
    for name in ("config.json", "spiece.model", "pytorch_model.bin"):
        assert cached_model_folder(NAME) is None
        (folder / name).write_bytes(b"x")
    assert cached_model_folder(NAME) == folder


def test_the_shipped_model_is_always_here() -> None:
    folder = fetch_model("albert-nano", consent=ask, offline=True)
    assert folder == cached_model_folder("albert-nano")
    assert (folder / "model.safetensors").is_file()


def test_unknown_names() -> None:
    with pytest.raises(UsageError, match='did you mean "albert-base-v2"'):
        fetch_model("albert-base-v3x", consent=granted)
    with pytest.raises(UsageError, match='no source "hbu"; known: hub, google'):
        fetch_model(NAME, consent=granted, source="hbu")


# Google's archives


def google_archive(*, members: dict[str, bytes] | None = None) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in (members or {"albert_base/albert_config.json": b"{}", "albert_base/w": CONTENT}).items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def test_a_model_from_google(monkeypatch: pytest.MonkeyPatch) -> None:
    path = "/storage.googleapis.com/albert_models/albert_base_v2.tar.gz"
    with serving({path: Served(google_archive())}) as server:
        monkeypatch.setenv("ALBERTKIT_MIRROR_URL", server.url)
        folder = fetch_model(NAME, consent=granted, source="google")
        assert (folder / "w").read_bytes() == CONTENT
        assert folder == cached_model_folder(NAME) == cached_model_folder(NAME, source="google")
        assert cached_model_folder(NAME, source="hub") is None
        assert fetch_model(NAME, consent=ask, offline=True) == folder  # from wherever it came
        assert changed_files(folder) == []
        assert sorted(path.name for path in folder.parent.iterdir()) == ["google", "google.lock"]


def test_an_archive_that_tries_to_escape(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = "/storage.googleapis.com/albert_models/albert_base_v2.tar.gz"
    with serving({path: Served(google_archive(members={"../../../escaped": b"x"}))}) as server:
        monkeypatch.setenv("ALBERTKIT_MIRROR_URL", server.url)
        with pytest.raises(DownloadError, match="points outside the archive"):
            fetch_model(NAME, consent=granted, source="google")
    assert list(tmp_path.rglob("escaped")) == []
    assert [path.name for path in model_cache(NAME, "google").parent.iterdir()] == ["google.lock"]


def test_a_full_disk_while_unpacking_keeps_the_archive(monkeypatch: pytest.MonkeyPatch) -> None:
    path = "/storage.googleapis.com/albert_models/albert_base_v2.tar.gz"
    with serving({path: Served(google_archive())}) as server:
        monkeypatch.setenv("ALBERTKIT_MIRROR_URL", server.url)
        with files_limited_to(1_000_000), pytest.raises(WriteError, match="cannot be written"):
            fetch_model(NAME, consent=granted, source="google")
        asked = len(server.requests)
        fetch_model(NAME, consent=granted, source="google")
        assert len(server.requests) == asked


# Consent


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("answer", "comes"), [("y\n", True), ("Yes\n", True), ("n\n", False), ("\n", False), ("", False)]
)
def test_the_question(answer: str, comes: bool, hub: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    monkeypatch.setattr(sys, "stderr", screen)
    if comes:
        assert fetch_model(NAME).is_dir()
    else:
        with pytest.raises(
            DownloadError,
            match=f"{NAME} was not downloaded, as you did not agree; on another machine, download the files from",
        ):
            fetch_model(NAME)
        assert hub.requests == []
    shown = screen.getvalue()
    for words in (
        "model     albert-base-v2",
        "website   https://github.com/google-research/albert",
        "author    Google Research",
        "licence   Apache-2.0",
        "size      about 49 MB",
        f"from      {hub.url}/{REPOSITORY}",
        f"to        {model_cache(NAME, 'hub')}",
    ):
        assert f"  {words}\n" in shown
    assert shown.endswith("Download it now? [y/N] ")


def test_no_terminal_to_ask_at(hub: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    with pytest.raises(
        DownloadError,
        match=r"no terminal to ask for consent\. To download it, run: albertkit download albert-base-v2 --yes",
    ):
        fetch_model(NAME)
    assert hub.requests == []


def test_consent_beforehand(monkeypatch: pytest.MonkeyPatch) -> None:
    assert consent_by(yes=True) is granted
    assert consent_by(yes=False) is ask
    monkeypatch.setenv("ALBERTKIT_YES", "1")
    assert consent_by(yes=False) is granted
    assert granted(Offer("n", "model", "w", "a", "l", 1, "u", Path("f")))


@pytest.mark.parametrize("variable", ["ALBERTKIT_OFFLINE", "HF_HUB_OFFLINE", None])
def test_offline(variable: str | None, hub: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    if variable is not None:
        monkeypatch.setenv(variable, "1")
    words = (
        f"downloads are turned off; on another machine, download the files from {hub.url}/{REPOSITORY}, then put "
        f"config.json, spiece.model, model.safetensors or pytorch_model.bin into {model_cache(NAME, 'hub')}"
    )
    with pytest.raises(DownloadError) as refusal:
        fetch_model(NAME, consent=granted, offline=True if variable is None else None)
    assert words in str(refusal.value)
    with pytest.raises(DownloadError, match=r"give the path of the unpacked albert_base_v2.tar.gz as the model"):
        fetch_model(NAME, consent=granted, offline=True, source="google")
    assert hub.requests == []


def test_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    assert hub_address() == "https://huggingface.co"
    monkeypatch.setenv("HF_ENDPOINT", "https://hf.example/")
    assert hub_address() == "https://hf.example"
    monkeypatch.setenv("ALBERTKIT_HUB_URL", "https://own.example/hub")
    assert hub_address() == "https://own.example/hub"
    monkeypatch.setenv("ALBERTKIT_MIRROR_URL", "https://own.example/all/")
    assert mirrored("https://a.org/b/c.zip") == "https://own.example/all/a.org/b/c.zip"
    assert all(model.archive.startswith("https://") for model in MODEL_DOWNLOADS.values())


# Several processes


def test_two_processes_share_one_download(hub: Server) -> None:
    hub.paths["/store/model.safetensors"].delay = 0.6
    program = (
        "from albertkit.hub.download import fetch_model\nfrom albertkit.hub.consent import granted\n"
        "from albertkit.io.progress import Console\n"
        f"print(fetch_model({NAME!r}, consent=granted, progress=Console()))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    ended = [run.communicate(timeout=60) for run in runs]
    assert [run.returncode for run in runs] == [0, 0], ended
    assert {out for out, _ in ended} == {f"{model_cache(NAME, 'hub')}\n"}
    assert [path for path, _ in hub.gets()].count("/store/model.safetensors") == 1


def test_the_second_waits_and_says_so(hub: Server) -> None:
    hub.paths["/store/model.safetensors"].delay = 0.5
    said: list[str] = []

    class Heard(Silent):
        def report(self, sentence: str, *, kind: str = "info") -> None:  # noqa: ARG002 - the protocol's signature
            said.append(sentence)

    first = threading.Thread(target=fetch_model, args=(NAME,), kwargs={"consent": granted})
    first.start()
    while not hub.requests:
        pass
    fetch_model(NAME, consent=granted, progress=Heard())
    first.join()
    assert said == ["another process downloads albert-base-v2; waiting for it"]
    assert [path for path, _ in hub.gets()].count("/store/model.safetensors") == 1


@pytest.mark.usefixtures("hub")
def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("ALBERTKIT_CACHE", str(tmp_path / "file"))
    with pytest.raises(AlbertkitError, match="set ALBERTKIT_CACHE"):
        fetch_model(NAME, consent=granted)
