"""Read and write the manifest of downloaded files: the source of each, its size and its SHA-256.

A folder of the cache counts as downloaded if its manifest exists and every file has the recorded size.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from albertkit.io.file_digests import sha256_of
from albertkit.io.files import write_json

MANIFEST = "manifest.json"
_FORMAT = 1
_MAX_MANIFEST_BYTES = 2**22


@dataclass(frozen=True)
class FileRecord:
    """One downloaded file."""

    url: str
    """Where it was asked for; of an archive's member, the archive's address."""
    size: int
    """In bytes."""
    sha256: str
    """Of its content, in hexadecimal digits."""


@dataclass(frozen=True)
class Manifest:
    """What a folder holds."""

    name: str
    """Of the model or data set."""
    source: str
    """`hub`, `google` or `web`."""
    revision: str | None
    """The hub's commit that all files are of."""
    files: Mapping[str, FileRecord]
    """Path inside the folder, with "/" -> its record."""


def records_of(folder: Path, *, url: str) -> dict[str, FileRecord]:
    """Return a record of each file in a folder, the manifest left out.

    Args:
        folder: what was made of a download.
        url: URL of the download.

    Raises:
        OSError: a file cannot be read.
    """
    return {
        path.relative_to(folder).as_posix(): FileRecord(url, path.stat().st_size, sha256_of(path))
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MANIFEST
    }


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the record; it comes last, so that a folder that has one is whole.

    Raises:
        WriteError: the system refused.
    """
    files = {name: asdict(record) for name, record in manifest.files.items()}
    write_json(
        folder / MANIFEST,
        {"format": _FORMAT, "name": manifest.name, "source": manifest.source, "revision": manifest.revision}
        | {"files": files},
    )


def read_manifest(folder: Path) -> Manifest | None:
    """Return the record of a folder, or None where there is none or a file is not of the recorded size."""
    path = folder / MANIFEST
    try:
        if path.stat().st_size > _MAX_MANIFEST_BYTES:
            return None
        content = json.loads(path.read_text(encoding="utf-8"))
        manifest = _parse(content)
        for name, record in manifest.files.items():
            if (folder / name).stat().st_size != record.size:
                return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return manifest


def _parse(content: Any) -> Manifest:
    if content["format"] != _FORMAT:
        raise ValueError("another format")
    files = {}
    for name, record in content["files"].items():
        if not is_inside(name):
            raise ValueError("a name that points outside the folder")
        files[name] = FileRecord(str(record["url"]), int(record["size"]), str(record["sha256"]))
    revision = content["revision"]
    return Manifest(str(content["name"]), str(content["source"]), None if revision is None else str(revision), files)


def is_inside(name: str) -> bool:
    """Return whether the name of a file, with "/", means one inside its folder on every system.

    >>> is_inside("data/train.csv"), is_inside("../train.csv"), is_inside("C:train.csv")
    (True, False, False)
    """
    place = PurePosixPath(name)
    return bool(place.parts) and not (place.is_absolute() or ".." in place.parts or "\\" in name or ":" in name)


def changed_files(folder: Path) -> list[str]:
    """Hash every recorded file again and return the names of those that are not what was downloaded.

    Raises:
        OSError: a file cannot be read.
    """
    manifest = read_manifest(folder)
    if manifest is None:
        return [MANIFEST]
    return [name for name, record in manifest.files.items() if sha256_of(folder / name) != record.sha256]
