"""Files of a known layout, from a folder or straight from an archive of it; nothing is ever extracted to disk."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from albertkit.errors import DataError
from albertkit.io.archive import ARCHIVES, is_archive, read_members

__all__ = ["ARCHIVES", "SourceFile", "find_files", "is_archive", "read_members"]


@dataclass(frozen=True)
class SourceFile:
    """One file of a data set."""

    where: str
    """The file as a message names it; of an archive, `archive:member`."""
    read: Callable[[], bytes]
    """Gives the whole content."""


def find_files(root: Path, *, folders: Collection[str], names: Collection[str]) -> dict[str, SourceFile]:
    """Find the files of one data set's folder by name.

    The folder may be `root` itself, a folder in it, or one level deeper. Its name is compared without regard to case,
    "-" and "_". If several match, the first that holds one of the files wins.

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
