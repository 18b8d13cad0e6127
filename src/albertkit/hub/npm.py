"""Packages of npm that run a model in a browser: their files in the cache, at fixed versions and hashes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from albertkit.hub.consent import Consent, DownloadError, Offer, consent_by
from albertkit.hub.download import fetch_once, fetch_pinned, mirrored
from albertkit.io.archive import read_members
from albertkit.io.file_digests import sha256_of
from albertkit.io.files import cache_folder
from albertkit.io.manifest import FileRecord, read_manifest
from albertkit.io.progress import Progress, Silent

WEB_RUNTIME = "onnxruntime-web"
"""What `albertkit download` calls them all."""
VERSION = "1.30.0"
_NPM = "https://cdn.jsdelivr.net/npm"
PACKAGES: Mapping[str, FileRecord] = {
    f"onnxruntime-web-{VERSION}.tgz": FileRecord(
        f"{_NPM}/onnxruntime-web/-/onnxruntime-web-{VERSION}.tgz", 33_106_585,
        "d2228df7e4616bc3348bf504ee888f3bec43789a273f0a63f3e68d203ce3bf71",
    ),
    "huggingface-tokenizers-0.2.0.tgz": FileRecord(
        f"{_NPM}/@huggingface/tokenizers/-/tokenizers-0.2.0.tgz", 87_011,
        "2800014c83b8186b2e4210c20672f1fb65a12cef85d7e95e0f2003e022611b4a",
    ),
}  # fmt: skip
"""Name that `npm pack` gives to a package's archive -> where it is; the hashes are those of npm's own archives."""
FILES = (
    "ort.wasm.min.mjs",
    "ort-wasm-simd-threaded.mjs",
    "ort-wasm-simd-threaded.wasm",
    "tokenizers.min.mjs",
)
"""What a page needs of them, all in their folder package/dist."""
_TAKEN = {f"package/dist/{name}": name for name in FILES} | {"package/LICENSE": "tokenizers.LICENSE.txt"}


def fetch_web_runtime(
    *, consent: Consent | None = None, offline: bool | None = None, progress: Progress | None = None
) -> Path:
    """Return the folder with `FILES`, downloading the packages where they are not there yet.

    Args:
        consent: asked before anything is sent; as ALBERTKIT_YES says, or by a question, if None.
        offline: forbid all downloads; as ALBERTKIT_OFFLINE and HF_HUB_OFFLINE say if None.
        progress: gets the progress reports.

    Raises:
        DownloadError: not allowed, not reachable, or not what was published.
        WriteError: the disk is full or refuses.
    """
    progress = progress or Silent()
    folder = cache_folder("npm") / f"{WEB_RUNTIME}-{VERSION}"
    given = folder.with_name(folder.name + ".files")

    def fetch() -> None:
        fetch_pinned(WEB_RUNTIME, PACKAGES, folder, progress=progress, finish=_take)

    def there() -> Path | None:
        if read_manifest(folder) is None and _has_packages(given):
            fetch()  # from the archives there: nothing is sent
        return folder if read_manifest(folder) is not None else None

    return fetch_once(
        Offer(
            WEB_RUNTIME, "packages", "https://onnxruntime.ai and https://github.com/huggingface/tokenizers.js",
            "Microsoft; Hugging Face", "MIT; Apache-2.0", sum(package.size for package in PACKAGES.values()),
            ", ".join(mirrored(package.url) for package in PACKAGES.values()), folder,
        ),
        there=there,
        fetch=fetch,
        by_hand=f"with npm: mkdir -p {given} && cd {given} && npm pack onnxruntime-web@{VERSION} "
        "@huggingface/tokenizers@0.2.0",
        consent=consent or consent_by(yes=False),
        offline=offline,
        progress=progress,
    )  # fmt: skip


def _has_packages(folder: Path) -> bool:
    return all((folder / name).is_file() and sha256_of(folder / name) == one.sha256 for name, one in PACKAGES.items())


def _take(folder: Path, archives: Mapping[str, Path]) -> None:
    for archive in archives.values():
        for member, content in read_members(archive, wanted=lambda one: str(one) in _TAKEN, error=DownloadError):
            (folder / _TAKEN[str(member)]).write_bytes(content)
    missing = [name for name in FILES if not (folder / name).is_file()]
    assert not missing, "a file of a fixed hash holds what it held"
