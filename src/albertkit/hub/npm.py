"""Packages of npm that run a model in a browser: their files in the cache, at fixed versions and hashes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from albertkit.hub.consent import Consent, Offer, consent_by
from albertkit.hub.download import fetch_once, fetch_pinned, mirrored
from albertkit.io.file_digests import sha256_of
from albertkit.io.files import cache_folder
from albertkit.io.manifest import FileRecord, read_manifest
from albertkit.io.progress import Progress, Silent

WEB_RUNTIME = "onnxruntime-web"
"""What `albertkit download` calls them all."""
VERSION = "1.30.0"
TOKENIZERS = "@huggingface/tokenizers@0.2.0"
_CDN = "https://cdn.jsdelivr.net/npm"  # serves the files of npm's packages as they are
_ONNX = f"{_CDN}/onnxruntime-web@{VERSION}/dist"
FILES: Mapping[str, FileRecord] = {
    "ort.wasm.min.mjs": FileRecord(
        f"{_ONNX}/ort.wasm.min.mjs", 50_126, "219e6a1fc8a9938268d18efca3c91d310bd2f4a59bbd13744df5b2b7fc6cee3b"
    ),
    "ort-wasm-simd-threaded.mjs": FileRecord(
        f"{_ONNX}/ort-wasm-simd-threaded.mjs", 24_381,
        "e13f7f94fc51b4ca72b12faeb1ee95f4ace6dfbc8939bc718aabdc0a27c4299b",
    ),
    "ort-wasm-simd-threaded.wasm": FileRecord(
        f"{_ONNX}/ort-wasm-simd-threaded.wasm", 14_239_897,
        "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
    ),
    "tokenizers.min.mjs": FileRecord(
        f"{_CDN}/{TOKENIZERS}/dist/tokenizers.min.mjs", 36_601,
        "258e46332101335ce8d95aed7745b19ac3b46d37f3e159a89cf894c2ea9b1d3a",
    ),
    "tokenizers.LICENSE.txt": FileRecord(
        f"{_CDN}/{TOKENIZERS}/LICENSE", 11_357, "c71d239df91726fc519c6eb72d318ec65820627232b2f796219e87dcf35d0ab4"
    ),
}  # fmt: skip
"""Name in the folder -> where it is; the hashes are those of the files in npm's archives."""


def fetch_web_runtime(
    *, consent: Consent | None = None, offline: bool | None = None, progress: Progress | None = None
) -> Path:
    """Return the folder with `FILES`, downloading those that are not there yet.

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

    def fetch() -> None:
        fetch_pinned(WEB_RUNTIME, FILES, folder, progress=progress)

    def there() -> Path | None:
        if read_manifest(folder) is None and _is_complete(folder):
            fetch()  # put there by hand: nothing is sent
        return folder if read_manifest(folder) is not None else None

    return fetch_once(
        Offer(
            WEB_RUNTIME, "packages", "https://onnxruntime.ai and https://github.com/huggingface/tokenizers.js",
            "Microsoft; Hugging Face", "MIT; Apache-2.0", sum(file.size for file in FILES.values()),
            mirrored(_CDN), folder,
        ),
        there=there,
        fetch=fetch,
        by_hand=f"with npm: npm pack onnxruntime-web@{VERSION} {TOKENIZERS}, and put {', '.join(FILES)} (the LICENSE "
        f"of the second) of both archives into {folder}",
        consent=consent or consent_by(yes=False),
        offline=offline,
        progress=progress,
    )  # fmt: skip


def _is_complete(folder: Path) -> bool:
    return all((folder / name).is_file() and sha256_of(folder / name) == file.sha256 for name, file in FILES.items())
