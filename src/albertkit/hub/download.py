"""Download known models and other files to the cache: after consent, atomically, once for all processes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import quote, urlsplit

from filelock import FileLock, Timeout

from albertkit.config import PUBLISHED
from albertkit.errors import UsageError
from albertkit.hub.consent import Consent, DownloadError, Offer, consent_by, is_offline
from albertkit.hub.known_models import (
    MODEL_SOURCES,
    SHIPPED_MODEL,
    ModelSource,
    WantedFile,
    cached_model_folder,
    model_cache,
    model_source_of,
)
from albertkit.hub.transfer import Announced, announce, download_file
from albertkit.hub.web import NotThereError, RefusedError
from albertkit.io.archive import unpack
from albertkit.io.files import WriteError, atomic_folder
from albertkit.io.manifest import FileRecord, Manifest, records_of, write_manifest
from albertkit.io.progress import Progress, Silent

HUB = "https://huggingface.co"


def hub_address() -> str:
    """Return the hub's address: $ALBERTKIT_HUB_URL or $HF_ENDPOINT for a mirror, else https://huggingface.co."""
    return (os.environ.get("ALBERTKIT_HUB_URL") or os.environ.get("HF_ENDPOINT") or HUB).rstrip("/")


def mirrored(url: str) -> str:
    """Return an address outside the hub as it is reached: through $ALBERTKIT_MIRROR_URL, which gets the host's name
    as the first part of the path.

    >>> mirrored("https://storage.googleapis.com/albert_models/albert_base_v2.tar.gz")
    'https://storage.googleapis.com/albert_models/albert_base_v2.tar.gz'
    """
    mirror = os.environ.get("ALBERTKIT_MIRROR_URL", "").rstrip("/")
    parts = urlsplit(url)
    return f"{mirror}/{parts.netloc}{parts.path}" if mirror else url


def fetch_model(
    name: str,
    *,
    consent: Consent | None = None,
    offline: bool | None = None,
    source: str | None = None,
    progress: Progress | None = None,
) -> Path:
    """Return the folder of a model, downloading it into the cache where it is not there yet.

    From the hub all files are of one commit, and each is checked against the size and hash that the hub gives for it;
    from Google's archive, which has no published hash, the hash is recorded.

    Args:
        name: a known model, or ORG/NAME[@REVISION].
        consent: asked before anything is sent; `granted` and `ask` are ready-made, and ALBERTKIT_YES chooses if None.
        offline: forbid all downloads; as ALBERTKIT_OFFLINE and HF_HUB_OFFLINE say if None.
        source: one of `MODEL_SOURCES`; if None, whatever is in the cache, else the hub.
        progress: gets the progress reports.

    Raises:
        UsageError: the name or the source is unknown.
        DownloadError: not allowed, not reachable, or not what was asked for.
        CheckpointError: Google's archive is damaged.
        WriteError: the disk is full or refuses.
    """
    if name not in PUBLISHED:
        model_source_of(name)
    if source not in (None, *MODEL_SOURCES):
        raise UsageError(f'there is no source "{source}"; known: {", ".join(MODEL_SOURCES)}')
    progress = progress or Silent()
    if name == SHIPPED_MODEL:
        found = cached_model_folder(name)
        assert found is not None, "the shipped model is always here"
        return found
    model, folder = model_source_of(name), model_cache(name, source or "hub")
    if source == "google" and model.archive is None:
        raise UsageError(f"{name} is on the hub only; leave --source out")
    if source != "google" or model.archive is None:
        url, by_hand = f"{hub_address()}/{model.repository}", _names(model.files)
        fetch = partial(_from_hub, name, model, folder, progress)
    else:
        url, by_hand = mirrored(model.archive), f"the unpacked {model.archive.rpartition('/')[2]}"
        fetch = partial(_from_google, name, model, folder, progress)
    offer = Offer(name, "model", model.website, model.author, model.licence, model.size, url, folder)
    where = f"put {by_hand} into {folder}" if source != "google" else f"give the path of {by_hand} as the model"
    return fetch_once(
        offer,
        there=lambda: cached_model_folder(name, source=source),
        fetch=fetch,
        by_hand=f"on another machine, download the files from {url}, then {where}",
        consent=consent or consent_by(yes=False),
        offline=offline,
        progress=progress,
    )


def _names(files: tuple[WantedFile, ...]) -> str:
    return ", ".join(" or ".join(file.names) for file in files if file.needed)


def fetch_once(
    offer: Offer,
    *,
    there: Callable[[], Path | None],
    fetch: Callable[[], None],
    by_hand: str,
    consent: Consent,
    offline: bool | None,
    progress: Progress,
) -> Path:
    """Fetch unless it is there: ask, then let one process download while the others wait and find what it left.

    Args:
        offer: what it is; `offer.folder` is where it goes.
        there: finds it in the cache.
        fetch: downloads it.
        by_hand: what to do without a network, the end of a sentence.
        consent: asked first.
        offline: forbid the download; as the environment says if None.
        progress: reports a wait.

    Raises:
        DownloadError: offline, or no consent; and see `fetch`.
        WriteError: the cache cannot be written.
    """
    found = there()
    if found is not None:
        return found
    if is_offline() if offline is None else offline:
        raise DownloadError(f"{offer.name} is not on this machine and downloads are turned off; {by_hand}")
    if not consent(offer):
        raise DownloadError(f"{offer.name} was not downloaded, as you did not agree; {by_hand}")
    with _alone(offer, progress):
        found = there()
        if found is None:
            fetch()
            found = there()
    assert found is not None, "a finished download is there"
    return found


@contextmanager
def _alone(offer: Offer, progress: Progress) -> Iterator[None]:
    path = offer.folder.with_name(offer.folder.name + ".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(str(path))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            progress.report(f"another process downloads {offer.name}; waiting for it")
            lock.acquire()
    except OSError as error:
        raise WriteError(
            f"{path}: cannot be locked ({error.strerror or error}); set ALBERTKIT_CACHE to a folder that can be written"
        ) from error
    try:
        yield
    finally:
        lock.release()


def _from_hub(name: str, model: ModelSource, folder: Path, progress: Progress) -> None:
    _make(folder)
    revision: str | None = None
    records: dict[str, FileRecord] = {}
    for wanted in model.files:
        for file in wanted.names:
            address = f"{hub_address()}/{model.repository}/resolve/"
            asked = quote(model.revision, safe="")
            try:
                found = announce(f"{address}{revision or asked}/{file}", progress=progress)
                # The first answer names the commit; all files are taken at it, also when the branch moves meanwhile.
                revision = revision or found.revision
                _make((folder / file).parent)
                url = f"{address}{revision or asked}/{file}"
                records[file] = _fetch(url, folder / file, found, wanted, progress)
                break
            except (NotThereError, RefusedError) as error:
                if model.archive is None and not records:
                    raise DownloadError(_not_on_the_hub(name, model)) from error
                if isinstance(error, RefusedError):
                    raise
                if wanted.needed and file == wanted.names[-1]:
                    other = (
                        "try --source google, or another mirror"
                        if model.archive is not None
                        else "of models that it does not know, albertkit reads safetensors only, never pickled weights"
                    )
                    raise DownloadError(f"{name}: {address} has no {' or '.join(wanted.names)}; {other}") from error
    write_manifest(folder, Manifest(name, "hub", revision, records))


def _not_on_the_hub(name: str, model: ModelSource) -> str:
    return (
        f'No model "{name}": {hub_address()} has no {model.repository} with a config.json at revision '
        f'"{model.revision}", or it is private; correct the name, or fetch a private one with '
        f"`hf download {model.repository} --local-dir DIR` and give DIR"
    )


def _fetch(url: str, target: Path, found: Announced, wanted: WantedFile, progress: Progress) -> FileRecord:
    if wanted.sha256 is not None and found.sha256 not in (None, wanted.sha256):
        raise DownloadError(
            f"{url}: the server's file has the SHA-256 {found.sha256} where {wanted.sha256} was published, so it is "
            "a different file; nothing was kept, try another source"
        )
    sha256 = wanted.sha256 or found.sha256
    return download_file(url, target, progress=progress, size=found.size, sha256=sha256, sha1=found.sha1)


def _from_google(name: str, model: ModelSource, folder: Path, progress: Progress) -> None:
    assert model.archive is not None
    archive = folder.with_name(model.archive.rpartition("/")[2])
    _make(folder.parent)
    url = mirrored(model.archive)
    if not archive.is_file():
        found = announce(url, progress=progress)
        download_file(url, archive, progress=progress, size=found.size, sha256=found.sha256)
    unpacked = folder.with_name(f".{folder.name}.unpacked")
    shutil.rmtree(unpacked, ignore_errors=True)
    try:
        try:
            unpack(archive, unpacked, error=DownloadError)
        except DownloadError:  # else the next call would stop at the same archive; after a full disk it is kept
            archive.unlink()
            raise
        inside = list(unpacked.iterdir())
        root = inside[0] if len(inside) == 1 and inside[0].is_dir() else unpacked
        write_manifest(root, Manifest(name, "google", None, records_of(root, url=url)))
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(root, folder)
        archive.unlink()
    except OSError as error:
        raise WriteError(f"{folder}: cannot be written ({error.strerror or error})") from error
    finally:
        shutil.rmtree(unpacked, ignore_errors=True)


def fetch_pinned(
    name: str,
    files: Mapping[str, FileRecord],
    folder: Path,
    *,
    progress: Progress,
    finish: Callable[[Path, Mapping[str, Path]], None] | None = None,
) -> None:
    """Download files whose size and hash were published into a folder, with a manifest.

    Args:
        name: name of the data set.
        files: what to fetch, by the name in the folder.
        folder: the folder to write.
        progress: gets the progress reports.
        finish: makes the content of a fresh folder from the downloaded files, which are then deleted; the files
            themselves are the content if None.

    Raises:
        DownloadError, WriteError: as `download_file`; what `finish` raises.
    """
    place = folder if finish is None else folder.with_name(folder.name + ".files")
    _make(place)
    records: dict[str, FileRecord] = {}
    for each, file in files.items():
        target, url = place / each, mirrored(file.url)
        records[each] = download_file(url, target, progress=progress, size=file.size, sha256=file.sha256)
    if finish is None:
        write_manifest(folder, Manifest(name, "web", None, records))
        return
    with atomic_folder(folder) as temporary:
        finish(temporary, {each: place / each for each in files})
        records = records_of(temporary, url=mirrored(next(iter(files.values())).url))
        write_manifest(temporary, Manifest(name, "web", None, records))
    shutil.rmtree(place, ignore_errors=True)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(
            f"{folder}: cannot be made ({error.strerror or error}); set ALBERTKIT_CACHE to a folder that can be written"
        ) from error
