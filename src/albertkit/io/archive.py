"""Archives from anywhere, read with suspicion: .zip and .tar, packed or not, in one pass and bounded memory."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, cast

from albertkit.errors import AlbertkitError, CheckpointError, DataError
from albertkit.io.files import atomic_folder
from albertkit.io.tar import TarReader

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
"""Endings of the archives that can be read."""

MAX_MEMBER_BYTES = 512 * 2**20
"""Largest member that `read_members` gives."""
MAX_TOTAL_BYTES = 4 * 2**30
"""Most that an archive may unpack to; albert-xxlarge in fp32 takes 0.9 GB, 2.7 GB with its optimizer's slots."""
MAX_MEMBERS = 10_000
"""Most files and folders that `unpack` makes."""
MAX_RATIO = 20
"""Most that `unpack` makes of a packed byte, beyond `SMALL_BYTES`: weights hardly shrink, bombs shrink 1000:1."""
SMALL_BYTES = 64 * 2**20
"""What any archive may unpack to."""
MAX_DEPTH = 16
"""Folders in each other that `unpack` makes."""

_CHUNK = 2**20
_LONGEST_NAME = 1024  # characters
# zipfile holds one object for each entry of the directory, so its size is looked at before zipfile sees it.
_MAX_DIRECTORY_BYTES = 32 * 2**20  # of a data set with 100,000 files
_MAX_SHORT_DIRECTORY_BYTES = 4 * 2**20  # of what `unpack` takes
_XZ_MEMORY_BYTES = 256 * 2**20


def is_archive(path: Path) -> bool:
    """Return whether a file is an archive, by its name.

    >>> is_archive(Path("aclImdb_v1.tar.gz")), is_archive(Path("train.tsv"))
    (True, False)
    """
    return path.name.lower().endswith(ARCHIVES)


@dataclass(frozen=True)
class _Member:
    name: str
    kind: str
    """As `TarMember.kind`."""
    read: Callable[[int], bytes]
    """Gives the next bytes of the content, at most so many; none at its end."""


def read_members(
    path: Path,
    *,
    wanted: Callable[[PurePosixPath], bool],
    max_bytes: int = MAX_MEMBER_BYTES,
    error: type[AlbertkitError] = DataError,
) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Read the wanted files of an archive in one pass, in the archive's order; nothing is extracted to disk.

    Args:
        path: a .zip or a .tar, packed or not.
        wanted: says of a member's name whether its content is needed; links and folders are never asked about.
        max_bytes: the largest content of one member, in bytes.
        error: class of what is raised.

    Raises:
        error: the archive is corrupt or cannot be opened, a wanted name leads out of it, or a member is too large.
    """
    total = 0
    with _told(path, error):
        for packed in _members(path, limit=None):
            member = PurePosixPath(packed.name)
            if packed.kind != "file" or not wanted(member):
                continue
            if _leads_out(packed.name):
                raise error(f'{path}: member "{packed.name}" points outside the archive')
            content = _whole(packed, max_bytes + 1)
            total += len(content)
            if len(content) > max_bytes or total > MAX_TOTAL_BYTES:
                raise error(
                    f'{path}: member "{packed.name}" passes the limit of {max_bytes} bytes, which no model needs'
                )
            yield member, content


def unpack(
    path: str | os.PathLike[str], folder: str | os.PathLike[str], *, error: type[AlbertkitError] = CheckpointError
) -> list[Path]:
    """Extract the files of an archive into a new folder, all of them or nothing.

    Only files and folders are made, with the modes of new files. The content streams through memory in small parts.

    Args:
        path: a .zip or a .tar, packed or not.
        folder: the folder to write; it must be absent or empty.
        error: class of what is raised for a bad archive.

    Returns:
        The files, relative to `folder`, in the archive's order.

    Raises:
        error: the archive is corrupt; a name is absolute, leads out, holds a backslash or comes twice; a member is a
            link or a device; there are too many, or they unpack to too much; the folder holds something.
        WriteError: the disk is full or refuses.
    """
    path, target = Path(path), Path(folder)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise error(f"{target}: is not an empty folder, so {path.name} is not unpacked there; name a new folder")
    with _told(path, error):
        limit = min(MAX_TOTAL_BYTES, max(SMALL_BYTES, MAX_RATIO * path.stat().st_size))
    made: list[Path] = []
    with atomic_folder(target) as temporary:
        seen: set[PurePosixPath] = set()
        total = 0
        members = _members(path, limit=limit)
        while True:
            with _told(path, error):
                member = next(members, None)
            if member is None:
                break
            place = _place(path, member, error)
            if place in seen and member.kind == "file":
                raise error(f'{path}: holds "{place}" twice, so it is ambiguous; pack it again')
            seen.add(place)
            if len(seen) > MAX_MEMBERS:
                raise error(f"{path}: {_too_many()}")
            if member.kind == "folder":
                (temporary / place).mkdir(parents=True, exist_ok=True)
                continue
            (temporary / place).parent.mkdir(parents=True, exist_ok=True)
            with (temporary / place).open("xb") as file:
                while True:
                    with _told(path, error):
                        content = member.read(_CHUNK)
                        total += len(content)
                        if total > limit:
                            raise _TooLargeError()
                    if not content:
                        break
                    file.write(content)
            made.append(Path(place))
    return made


def _place(path: Path, member: _Member, error: type[AlbertkitError]) -> PurePosixPath:
    """Return where a member goes, below the folder; refuse what could go elsewhere."""
    name = member.name
    if len(name) > _LONGEST_NAME:
        raise error(f"{path}: a member has a name of {len(name):,} characters; pack it again under a shorter one")
    if member.kind not in ("file", "folder"):
        what = "a link" if member.kind == "link" else "a device or a sparse file"
        raise error(f"{path}: member {name!a} is {what}, and only plain files are unpacked; pack it again without it")
    if not name or any(ord(letter) < 32 or 0xD800 <= ord(letter) <= 0xDFFF for letter in name):
        raise error(f"{path}: member {name!a} has a name with unprintable characters; pack it again under another name")
    place = PurePosixPath(name)
    if _leads_out(name) or (member.kind == "file" and not place.parts):
        raise error(f'{path}: member "{name}" points outside the archive; nothing was written')
    if len(place.parts) > MAX_DEPTH:
        raise error(f"{path}: a member lies {len(place.parts)} folders deep, more than {MAX_DEPTH}; pack it again")
    return place


def _leads_out(name: str) -> bool:
    # Drive letters and backslashes mean nothing here, but the same archive must not lead out on another system.
    return (
        name.startswith("/")
        or "\\" in name
        or re.match("[A-Za-z]:", name) is not None
        or ".." in PurePosixPath(name).parts
    )


class _TooLargeError(Exception):
    """What to say of an archive that holds too much."""

    def __init__(self, words: str = "unpacks to far more than a model of its size does, so it is refused") -> None:
        super().__init__(f"{words}; get it again from its source")


def _too_many() -> _TooLargeError:
    return _TooLargeError(f"holds more than {MAX_MEMBERS:,} files, which no model does")


@contextmanager
def _told(path: Path, error: type[AlbertkitError]) -> Iterator[None]:
    """Turn what readers of archives raise into one sentence."""
    try:
        yield
    except _TooLargeError as refusal:
        raise error(f"{path}: {refusal}") from refusal
    except (NotImplementedError, RuntimeError) as refusal:  # zipfile: an unknown packing, or a password
        raise error(f"{path}: cannot be unpacked ({_shortened(refusal)}); pack it again as .tar.gz") from refusal
    except (ValueError, zipfile.BadZipFile, lzma.LZMAError, zlib.error, struct.error, EOFError, OSError) as refusal:
        raise error(f"{path}: cannot be read as an archive ({_shortened(refusal)}); get a new copy of it") from refusal


def _shortened(refusal: Exception) -> str:
    """Return what a library said without the rest of the file, which some quote."""
    words = " ".join(str(refusal).split()) or type(refusal).__name__
    return words if len(words) <= 200 else f"{words[:200]}.."


def _whole(member: _Member, limit: int) -> bytes:
    parts, size = [], 0
    while size < limit and (part := member.read(min(_CHUNK, limit - size))):
        parts.append(part)
        size += len(part)
    return b"".join(parts)


def _members(path: Path, *, limit: int | None) -> Iterator[_Member]:
    return _zip_members(path, limit) if path.name.lower().endswith(".zip") else _tar_members(path, limit)


def _zip_members(path: Path, limit: int | None) -> Iterator[_Member]:
    with open(path, "rb") as packed:
        if _zip_directory_bytes(packed) > (_MAX_DIRECTORY_BYTES if limit is None else _MAX_SHORT_DIRECTORY_BYTES):
            raise zipfile.BadZipFile("its list of members is too long")
        with zipfile.ZipFile(packed) as archive:
            if limit is not None and len(archive.infolist()) > MAX_MEMBERS:
                raise _too_many()
            if limit is not None and sum(info.file_size for info in archive.infolist()) > limit:
                raise _TooLargeError()
            for info in archive.infolist():
                mode = info.external_attr >> 16 if info.create_system == 3 else 0  # 3: made under Unix
                kind = {stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "link", 0: "file"}.get(
                    stat.S_IFMT(mode), "other"
                )
                content = _ZipContent(archive, info)
                # Not info.filename: zipfile mends names, and a mended name must not pass.
                yield _Member(info.orig_filename, "folder" if info.filename.endswith("/") else kind, content.read)
                content.close()


class _ZipContent:
    """A member of a zip that is opened when it is read."""

    def __init__(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
        self._archive, self._info = archive, info
        self._content: IO[bytes] | None = None

    def read(self, count: int) -> bytes:
        if self._content is None:
            self._content = self._archive.open(self._info)
        return self._content.read(count)

    def close(self) -> None:
        if self._content is not None:
            self._content.close()


def _zip_directory_bytes(packed: IO[bytes]) -> int:
    """Return the size of the list of members (PKWARE's APPNOTE.TXT, 4.3.14 and 4.3.16); 0 where there is none."""
    size = packed.seek(0, os.SEEK_END)
    packed.seek(max(0, size - 22 - 2**16))
    tail = packed.read()
    packed.seek(0)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) < at + 22:
        return 0  # zipfile says what is wrong
    (directory,) = struct.unpack_from("<L", tail, at + 12)
    # zipfile takes the 64-bit record wherever there is one, so the larger number counts.
    big = tail.rfind(b"PK\x06\x06", 0, at)
    if big >= 0 and len(tail) >= big + 48:
        directory = max(directory, struct.unpack_from("<Q", tail, big + 40)[0])
    return min(int(directory), size)


def _tar_members(path: Path, limit: int | None) -> Iterator[_Member]:
    with _unpacked(path) as stream:
        # Headers and padding are read too, hence the allowance of two blocks a member.
        counted = _Counted(stream, None if limit is None else limit + 1024 * MAX_MEMBERS + 2**20)
        reader = TarReader(counted)
        for member in reader:
            yield _Member(member.name, member.kind, reader.read)
        while counted.read(_CHUNK):  # up to the check sum of gzip, bzip2 or xz
            pass


class _Counted:
    """A stream that refuses to give more than so many bytes."""

    def __init__(self, stream: IO[bytes], limit: int | None) -> None:
        self._stream, self._left = stream, limit

    def read(self, count: int) -> bytes:
        content = self._stream.read(count)
        if self._left is not None:
            self._left -= len(content)
            if self._left < 0:
                raise _TooLargeError()
        return content


def _unpacked(path: Path) -> IO[bytes]:
    with open(path, "rb") as packed:
        start = packed.read(2**12)
        packed.seek(-min(512, path.stat().st_size), os.SEEK_END)
        end = packed.read()
    if start.startswith(b"\xfd7zXZ\x00"):  # its header names the memory that unpacking takes
        lzma.LZMADecompressor(memlimit=_XZ_MEMORY_BYTES).decompress(start, 1)
    for magic, opener in ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ\x00", lzma.open)):
        if start.startswith(magic):
            return cast(IO[bytes], opener(path, "rb"))
    if any(end):
        raise EOFError("it does not end as a tar file does")
    return open(path, "rb")
