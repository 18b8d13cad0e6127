"""Download a data set from the Hugging Face hub: the files that one of its configs needs, all of one commit."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from albertkit.hub.consent import Consent, DownloadError, Offer, consent_by
from albertkit.hub.download import fetch_once, hub_address
from albertkit.hub.hub_names import HubDataset
from albertkit.hub.transfer import announce, download_file, fetch_json
from albertkit.hub.web import NotThereError, RefusedError
from albertkit.io.files import WriteError, atomic_folder, cache_folder
from albertkit.io.manifest import Manifest, is_inside, read_manifest, records_of, write_manifest
from albertkit.io.progress import Progress

CARDS = ("README.md", "dataset_infos.json")
"""Files that tell the datasets library which files are of which config and split."""


@dataclass(frozen=True)
class _Listing:
    """What the hub says of a repository."""

    repository: str
    """The name that it has now; older ones lead there."""
    commit: str
    files: tuple[str, ...]


def cached_hub_dataset(name: HubDataset) -> Path | None:
    """Return the folder of a data set in the cache, or None if it is not cached."""
    try:
        folder = _folder(name)
    except WriteError:  # where no cache can be, nothing is cached; a download says more
        return None
    return folder if read_manifest(folder) is not None else None


def fetch_hub_dataset(
    name: HubDataset,
    *,
    choose: Callable[[Path], Iterable[Path]],
    finish: Callable[[Path, Path], None],
    consent: Consent | None,
    offline: bool | None,
    progress: Progress,
) -> Path:
    """Return a data set's folder in the cache, downloading it where it is not there yet.

    The name in its manifest has the commit as revision.

    Args:
        name: the data set.
        choose: returns the files that are needed, from a folder in which each file of the repository is there, though
            empty but for `CARDS`.
        finish: makes the content of the second folder from the downloaded files in the first, which are then deleted.
        consent: asked before anything is sent; as ALBERTKIT_YES says, or by a question, if None.
        offline: forbid all downloads; as ALBERTKIT_OFFLINE and HF_HUB_OFFLINE say if None.
        progress: gets the progress reports.

    Raises:
        DownloadError: not allowed, not reachable, not there, or for some users only.
        WriteError: the disk is full or refuses.
    """
    folder, page = _folder(name), f"{hub_address()}/datasets/{name.repository}"
    author = name.repository.partition("/")[0] if "/" in name.repository else "see its page"
    return fetch_once(
        Offer(str(name), "data set", page, author, "see its page", None, page, folder),
        there=lambda: cached_hub_dataset(name),
        fetch=lambda: _fetch(name, folder, choose, finish, progress),
        by_hand=f"run `albertkit download {name}` on another machine and copy the folder that it prints to {folder}",
        consent=consent or consent_by(yes=False),
        offline=offline,
        progress=progress,
    )


def _folder(name: HubDataset) -> Path:
    return cache_folder("datasets") / "hub" / name.folder


def _fetch(
    name: HubDataset,
    folder: Path,
    choose: Callable[[Path], Iterable[Path]],
    finish: Callable[[Path, Path], None],
    progress: Progress,
) -> None:
    listing = _listing(name, progress)
    address = f"{hub_address()}/datasets/{listing.repository}/resolve/{listing.commit}"
    place = folder.with_name(folder.name + ".files")
    root = place / listing.commit / name.repository.rpartition("/")[2]

    def fetch(file: Path) -> None:
        url = f"{address}/{quote(file.relative_to(root).as_posix())}"
        try:
            found = announce(url, progress=progress)
        except RefusedError as error:
            raise DownloadError(_for_some_only(listing.repository)) from error
        download_file(url, file, progress=progress, size=found.size, sha256=found.sha256, sha1=found.sha1)

    try:
        for each in listing.files:
            file = root / each
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()  # what an earlier call has fetched stays
    except OSError as error:
        raise WriteError(f"{root}: cannot be written ({error.strerror or error})") from error
    for card in CARDS:
        if card in listing.files:
            fetch(root / card)
    for file in choose(root):
        fetch(file)
    with atomic_folder(folder) as temporary:
        finish(root, temporary)
        records = records_of(temporary, url=address)
        pinned = str(replace(name, revision=listing.commit))
        write_manifest(temporary, Manifest(pinned, "hub", listing.commit, records))
    shutil.rmtree(place, ignore_errors=True)


def _listing(name: HubDataset, progress: Progress) -> _Listing:
    url = f"{hub_address()}/api/datasets/{name.repository}/revision/{quote(name.revision, safe='')}"
    try:
        said = fetch_json(url, progress=progress)
    except (NotThereError, RefusedError) as error:
        hint = ""
        if name.config is None and "/" in name.repository:
            hint = "; a config is written hf:ORG/NAME/CONFIG"
        raise DownloadError(
            f'No data set "{name.repository}" at revision "{name.revision}" on {hub_address()}, or it is private; '
            f"correct the name{hint}, or {_by_the_hubs_own_tool(name.repository)}"
        ) from error
    try:
        repository, commit = str(said["id"]), str(said["sha"])
        files = tuple(str(each["rfilename"]) for each in said["siblings"])
        gated = bool(said.get("gated"))
    except (KeyError, TypeError, AttributeError) as error:
        raise DownloadError(f"{url}: the server does not answer as the hub does; correct its address") from error
    if gated:
        raise DownloadError(_for_some_only(repository))
    wrong = next((file for file in files if not is_inside(file)), None)
    if (
        wrong is not None
        or not re.fullmatch("[0-9a-f]{40}", commit)
        or not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", repository)
    ):
        raise DownloadError(f"{url}: the server names {wrong or (repository, commit)!r}, which the hub never does")
    return _Listing(repository, commit, files)


def _for_some_only(repository: str) -> str:
    return (
        f"{repository} is given only to users who have agreed to its terms on {hub_address()}/datasets/{repository}; "
        f"agree there, then {_by_the_hubs_own_tool(repository)}"
    )


def _by_the_hubs_own_tool(repository: str) -> str:
    return f"fetch it with `hf download {repository} --repo-type dataset --local-dir DIR` and give hf:./DIR"
