"""Files of a known layout, from a folder or straight from an archive of it; nothing is ever extracted to disk."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, cast

from albertkit.errors import DataError

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
"""Endings of the archives that can be read."""

MAX_MEMBER_BYTES = 512 * 2**20
MAX_TOTAL_BYTES = 4 * 2**30


@dataclass(frozen=True)
class SourceFile:
    """One file of a data set."""

    where: str
    """The file as a message names it; of an archive, `archive:member`."""
    read: Callable[[], bytes]
    """Gives the whole content."""


def is_archive(path: Path) -> bool:
    """Tell by its name whether a file is an archive.

    >>> is_archive(Path("aclImdb_v1.tar.gz")), is_archive(Path("train.tsv"))
    (True, False)
    """
    return path.name.lower().endswith(ARCHIVES)


def read_members(
    path: Path, *, wanted: Callable[[PurePosixPath], bool], max_bytes: int = MAX_MEMBER_BYTES
) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Read the wanted files of an archive in one pass, in the archive's order.

    Args:
        path: a .zip or a .tar, packed or not.
        wanted: says of a member's name whether its content is needed; links and folders are never asked about.
        max_bytes: the largest content of one member, in bytes.

    Raises:
        DataError: the archive is corrupt or cannot be opened, a wanted name leads out of it, or a member is too large.
    """
    total = 0
    try:
        for name, read in _zip_members(path) if path.name.lower().endswith(".zip") else _tar_members(path):
            member = PurePosixPath(name)
            if not wanted(member):
                continue
            if member.is_absolute() or ".." in member.parts:
                raise DataError(f'{path}: member "{name}" leads out of the archive, which no good archive does')
            content = read(max_bytes + 1)
            total += len(content)
            if len(content) > max_bytes or total > MAX_TOTAL_BYTES:
                raise DataError(
                    f'{path}: member "{name}" passes the limit of {max_bytes} bytes, so the archive is not it'
                )
            yield member, content
    except (tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError, zlib.error, EOFError, OSError) as error:
        raise DataError(f"{path}: cannot be read as an archive ({error}); get a new copy of it") from error
    except (NotImplementedError, RuntimeError) as error:  # zipfile: an unknown packing, or a password
        raise DataError(f"{path}: cannot be unpacked ({error}); pack it again as .tar.gz") from error


def _zip_members(path: Path) -> Iterator[tuple[str, Callable[[int], bytes]]]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if not info.is_dir():

                def read(limit: int, info: zipfile.ZipInfo = info) -> bytes:
                    with archive.open(info) as content:
                        return content.read(limit)

                yield info.filename, read


def _tar_members(path: Path) -> Iterator[tuple[str, Callable[[int], bytes]]]:
    # Unpacked here and not by tarfile, which takes the end of a truncated stream for the end of the archive.
    with _unpacked(path) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
        for info in archive:
            if info.isfile():

                def read(limit: int, info: tarfile.TarInfo = info) -> bytes:
                    member = archive.extractfile(info)
                    assert member is not None
                    content = member.read(limit)
                    if len(content) < min(limit, info.size):
                        raise EOFError(f"it ends within {info.name}")
                    return content

                yield info.name, read
        while stream.read(2**20):  # up to the check sum of gzip, bzip2 or xz
            pass


def _unpacked(path: Path) -> IO[bytes]:
    with open(path, "rb") as packed:
        start = packed.read(6)
        packed.seek(-min(512, path.stat().st_size), os.SEEK_END)
        end = packed.read()
    for magic, opener in ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ\x00", lzma.open)):
        if start.startswith(magic):
            return cast(IO[bytes], opener(path, "rb"))
    if any(end):
        raise EOFError("it does not end as a tar file does")
    return open(path, "rb")


def find_files(root: Path, *, folders: Collection[str], names: Collection[str]) -> dict[str, SourceFile]:
    """Find the files of one data set's folder by name.

    The folder may be `root` itself, stand in it, or one level deeper; its name is compared without regard to case,
    "-" and "_". Of several, the first that holds one of the files wins.

    Args:
        root: a folder, or an archive of one.
        folders: names that the folder has in the official layout.
        names: names of the files.

    Returns:
        name -> file, of those that are there, in the order of `names`.

    Raises:
        DataError: `root` does not exist, or is a file that is no archive.
    """
    plain = {_plain(folder) for folder in folders}
    if is_archive(root) and root.is_file():
        found = _find_in_archive(root, plain, names)
    elif root.is_dir():
        found = _find_in_folder(root, plain, names)
    else:
        state = "is neither a folder nor an archive" if root.exists() else "does not exist"
        raise DataError(f"{root} {state}; give the data's folder or an archive of it ({', '.join(ARCHIVES)})")
    return {name: found[name] for name in names if name in found}


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")


def _find_in_folder(root: Path, plain: set[str], names: Collection[str]) -> dict[str, SourceFile]:
    below = sorted(path for path in root.iterdir() if path.is_dir())
    deeper = [inner for path in below for inner in sorted(path.iterdir()) if inner.is_dir()]
    places = [path for path in (root, *below, *deeper) if _plain(path.resolve().name) in plain]
    for place in (*places, root):
        there = [place / name for name in names if (place / name).is_file()]
        if there:
            return {path.name: SourceFile(str(path), path.read_bytes) for path in there}
    return {}


def _find_in_archive(root: Path, plain: set[str], names: Collection[str]) -> dict[str, SourceFile]:
    def wanted(member: PurePosixPath) -> bool:
        parent = member.parent.name
        return member.name in names and (_plain(parent) in plain or parent == "")

    found: dict[str, SourceFile] = {}
    for member, content in read_members(root, wanted=wanted):
        if member.name not in found or member.parent.name:
            found[member.name] = SourceFile(f"{root}:{member}", lambda content=content: content)  # type: ignore[misc]
    return found
