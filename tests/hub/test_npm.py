"""Packages of npm: fetched once after consent, checked, or put there by hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.local_server import Served, Server, serving

from albertkit.hub import npm
from albertkit.hub.consent import DownloadError, Offer, ask, granted
from albertkit.hub.npm import FILES, fetch_web_runtime
from albertkit.io.files import cache_folder

CONTENT = {name: name.encode() for name in FILES}


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    monkeypatch.setenv("ALBERTKIT_CACHE", str(tmp_path / "cache"))
    pinned = {
        name: replace(FILES[name], size=len(content), sha256=sha256(content).hexdigest())
        for name, content in CONTENT.items()
    }
    monkeypatch.setattr(npm, "FILES", pinned)
    urls = [urlsplit(file.url) for file in pinned.values()]
    paths = {f"/{url.netloc}{url.path}": Served(content) for url, content in zip(urls, CONTENT.values(), strict=True)}
    with serving(paths) as server:
        monkeypatch.setenv("ALBERTKIT_MIRROR_URL", server.url)
        yield server


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "manifest.json"}


def test_nothing_is_fetched_twice(mirror: Server) -> None:
    offers: list[Offer] = []

    def agree(offer: Offer) -> bool:
        offers.append(offer)
        return True

    folder = fetch_web_runtime(consent=agree)
    assert files_in(folder) == CONTENT
    [offer] = offers
    assert offer.size == sum(map(len, CONTENT.values()))
    assert "MIT" in offer.licence
    asked = len(mirror.requests)
    assert fetch_web_runtime(consent=ask, offline=True) == folder
    assert len(mirror.requests) == asked


def test_without_consent_nothing_is_sent_and_the_refusal_names_npm(mirror: Server) -> None:
    with pytest.raises(DownloadError, match=r"npm pack onnxruntime-web@[\d.]+ @huggingface/tokenizers@"):
        fetch_web_runtime(consent=lambda _: False)
    with pytest.raises(DownloadError, match="downloads are turned off; with npm: npm pack"):
        fetch_web_runtime(consent=granted, offline=True)
    assert mirror.requests == []


def test_another_file_is_refused(mirror: Server) -> None:
    path = next(iter(mirror.paths))
    mirror.paths[path].content = mirror.paths[path].content[::-1]
    with pytest.raises(DownloadError, match="SHA-256"):
        fetch_web_runtime(consent=granted)


def test_files_put_there_by_hand_are_taken_without_a_network(mirror: Server) -> None:
    given = cache_folder("npm") / f"onnxruntime-web-{npm.VERSION}"
    given.mkdir()
    for name, content in CONTENT.items():
        (given / name).write_bytes(content[::-1])
    with pytest.raises(DownloadError, match="turned off"):
        fetch_web_runtime(offline=True)
    for name, content in CONTENT.items():
        (given / name).write_bytes(content)
    assert files_in(fetch_web_runtime(offline=True)) == CONTENT
    assert mirror.requests == []
