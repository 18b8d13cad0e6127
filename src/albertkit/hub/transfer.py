"""One file over HTTP: it arrives whole and proven, or one sentence says why not and the same call continues later.

What has arrived is kept next to the target as `NAME.part`, with the server's entity tag in `NAME.part.etag`; it is
continued with `Range` and `If-Range` (RFC 9110, 13.1.5 and 14.2). The names of the hub's headers and the meaning of
its tags are those of huggingface_hub's file_download.py.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import re
import shutil
import time
import urllib.error
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from albertkit.hub.consent import DownloadError, megabytes
from albertkit.hub.web import NO_HEAD, PassingError, opened
from albertkit.io.file_digests import sha256_of
from albertkit.io.files import WriteError
from albertkit.io.manifest import FileRecord
from albertkit.io.progress import Progress

PAUSES = (1.0, 2.0, 4.0, 8.0)
"""Seconds before the second, third, ... attempt."""
MAX_BYTES = 4 * 2**30
"""Largest file where no size was announced."""

_MAX_JSON = 2**27
_CHUNK = 2**18
_PROGRESS = 2**20  # an attempt that brought so much is no failure
_HEX = {length: re.compile(f"[0-9a-f]{{{length}}}") for length in (40, 64)}

Result = TypeVar("Result")


@dataclass(frozen=True)
class Announced:
    """What a server says of a file before it is fetched."""

    size: int | None = None
    """In bytes."""
    sha256: str | None = None
    """The hub's, of files that it keeps as LFS objects."""
    sha1: str | None = None
    """Of small files: the git object's, as the hub says, or the content's, as some mirrors do."""
    revision: str | None = None
    """The hub's commit."""


def announce(url: str, *, progress: Progress) -> Announced:
    """Ask the server about a file.

    Raises:
        NotThereError: it has none.
        DownloadError: it refuses, cannot be reached, or the address is not https.
    """

    def once() -> Announced:
        with opened(url, method="HEAD") as answer:
            if answer.status in NO_HEAD:
                return Announced()
            headers = answer.headers
            tag = (headers.get("X-Linked-Etag") or headers.get("ETag") or "").strip('"')
            linked = "X-Linked-Etag" in headers
            length = headers.get("X-Linked-Size") or (None if linked else headers.get("Content-Length"))
            revision = headers.get("X-Repo-Commit") or ""
            known = linked or revision != ""  # any other server's tags may be anything
            return Announced(
                size=int(length) if length and length.isdigit() and len(length) < 16 else None,
                sha256=tag if known and _HEX[64].fullmatch(tag) else None,
                sha1=tag if known and _HEX[40].fullmatch(tag) else None,
                revision=revision if _HEX[40].fullmatch(revision) else None,
            )

    return _patiently(once, url=url, progress=progress)


def fetch_json(url: str, *, progress: Progress) -> Any:
    """Return what a server answers in JSON.

    Raises:
        NotThereError: there is no such address.
        DownloadError: it refuses, cannot be reached, answers something else, or the address is not https.
    """

    def once() -> bytes:
        content = bytearray()
        with opened(url) as answer:
            while len(content) <= _MAX_JSON and (chunk := _received(answer)):
                content += chunk
        return bytes(content)

    content = _patiently(once, url=url, progress=progress)
    try:
        if len(content) > _MAX_JSON:
            raise ValueError(f"more than {megabytes(_MAX_JSON)}")
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DownloadError(f"{url}: the server does not answer in JSON ({error}); try another source") from error


def download_file(
    url: str,
    target: Path,
    *,
    progress: Progress,
    size: int | None = None,
    sha256: str | None = None,
    sha1: str | None = None,
) -> FileRecord:
    """Fetch a file to `target`, continuing where an earlier call stopped; not at all where it is there and proven.

    Args:
        url: https, or http on this machine.
        target: where it goes; its folder exists.
        progress: gets the progress reports.
        size: the expected size, in bytes.
        sha256: the expected SHA-256.
        sha1: the expected SHA-1 of the file or its git object.

    Raises:
        NotThereError: the server has no such file.
        DownloadError: it did not arrive, or is not the right one; the sentence says whether to repeat the command.
        WriteError: the disk is full or refuses.
    """
    if sha256 is not None and target.is_file() and target.stat().st_size == size and sha256_of(target) == sha256:
        return FileRecord(url, size, sha256)
    part = _Part(target, url=url, size=size, trusted=sha256 is not None)
    if size is not None and shutil.disk_usage(target.parent).free < size - part.bytes():
        raise WriteError(
            f"{target}: needs {megabytes(size - part.bytes())}, more than the disk has free; make room, or set "
            "ALBERTKIT_CACHE to a folder on another disk"
        )
    with progress.bar(target.name, total=max(1, (size or 0) // 10**6)) as advance:
        shown = 0

        def show(count: int) -> None:
            nonlocal shown
            advance(count // 10**6 - shown, info="MB")
            shown = count // 10**6

        if size is None or part.bytes() != size:
            _patiently(lambda: part.fetch(show), url=url, progress=progress, received=part.bytes)
    return part.finish(sha256=sha256, sha1=sha1)


class _Part:
    """A file that has arrived in part."""

    def __init__(self, target: Path, *, url: str, size: int | None, trusted: bool) -> None:
        self.target, self.url, self.size = target, url, size
        self.trusted = trusted
        """Whether a hash will prove the whole, so that it may be continued even where the server gives no tag."""
        self.path = target.with_name(target.name + ".part")
        self.tag_path = target.with_name(target.name + ".part.etag")
        if size is not None and self.bytes() > size:
            self.discard()

    def bytes(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    def discard(self) -> None:
        for path in (self.path, self.tag_path):
            with suppress(FileNotFoundError):
                path.unlink()

    def _tag(self) -> str:
        try:
            return self.tag_path.read_text(encoding="latin-1")[:1000].strip()
        except OSError:
            return ""

    def fetch(self, show: Callable[[int], None]) -> None:
        """Fetch what is missing; one attempt."""
        have, tag = self.bytes(), self._tag()
        if have and not tag and not self.trusted:
            have = 0
        headers = {"Range": f"bytes={have}-"} if have else {}
        if have and tag:
            headers["If-Range"] = tag
        try:
            with opened(self.url, headers=headers) as answer:
                self._receive(answer, have, show)
        except urllib.error.HTTPError as refusal:  # 416: there is nothing after what we have
            self.discard()
            raise PassingError("the server has changed the file") from refusal

    def _receive(self, answer: Any, have: int, show: Callable[[int], None]) -> None:
        length = answer.headers.get("Content-Length") or ""
        total: int | None = None
        if answer.status == 206:
            span = re.fullmatch(
                r"bytes ([0-9]{1,15})-([0-9]{1,15})/([0-9]{1,15})", answer.headers.get("Content-Range") or ""
            )
            if span is None or int(span[1]) != have:
                self.discard()
                raise PassingError("the server sent a different part of the file than requested")
            total = int(span[3])
        else:  # the whole file: a server without ranges, or the file has changed
            have = 0
            total = int(length) if length.isdigit() and len(length) < 16 else None
        if self.size is not None and total not in (None, self.size):
            self.discard()
            raise DownloadError(
                f"{self.url}: the server has a file of {total} bytes where {self.size} are expected, so it is a "
                "different file; nothing was kept, try again later or from another source"
            )
        limit = total if total is not None else self.size if self.size is not None else MAX_BYTES
        with self._writing():
            tag = answer.headers.get("ETag") or ""
            if tag.startswith('"') and tag.isascii() and tag.isprintable():  # a weak tag may not go into If-Range
                self.tag_path.write_text(tag, encoding="ascii")
            else:
                with suppress(FileNotFoundError):
                    self.tag_path.unlink()
            with self.path.open("ab" if have else "wb") as file:
                show(have)
                while chunk := _received(answer):
                    have += len(chunk)
                    if have > limit:
                        break
                    file.write(chunk)
                    show(have)
                file.flush()
                os.fsync(file.fileno())
        if have > limit:
            self.discard()
            raise DownloadError(f"{self.url}: the server sends more than the {limit} bytes expected; nothing was kept")
        if have < (total if total is not None else self.size or 0):
            raise PassingError(f"the connection broke after {megabytes(have)}")

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise WriteError(
                f"{self.path}: cannot be written ({error.strerror or error}); make room there, or set ALBERTKIT_CACHE "
                "to a folder on another disk, and give the same command again: what has arrived is kept"
            ) from error

    def finish(self, *, sha256: str | None, sha1: str | None) -> FileRecord:
        """Prove what has arrived and give it its name."""
        with self._writing():
            size = self.bytes()
            content, plain, git = hashlib.sha256(), hashlib.sha1(), hashlib.sha1(b"blob %d\0" % size)
            with self.path.open("rb") as file:
                while chunk := file.read(2**20):
                    for digest in (content, plain, git) if sha1 else (content,):
                        digest.update(chunk)
            for name, wanted, got in (
                ("SHA-256", sha256, (content.hexdigest(),)),
                ("SHA-1", sha1, (git.hexdigest(), plain.hexdigest())),
            ):
                if wanted is not None and wanted not in got:
                    self.discard()
                    raise DownloadError(
                        f"{self.url}: what arrived has the {name} {got[0]} where {wanted} is expected, so it is "
                        "damaged or another file and was deleted; try again, or from another source"
                    )
            os.replace(self.path, self.target)
            with suppress(FileNotFoundError):
                self.tag_path.unlink()
        return FileRecord(self.url, size, content.hexdigest())


def _received(answer: Any) -> bytes:
    try:
        return bytes(answer.read(_CHUNK))
    except (OSError, http.client.HTTPException) as error:
        raise PassingError(f"the connection broke ({str(error) or type(error).__name__})") from error


def _patiently(
    act: Callable[[], Result], *, url: str, progress: Progress, received: Callable[[], int] = lambda: 0
) -> Result:
    """Act again after a passing fault, some times in a row; an attempt that brought something begins a new row."""
    failures, before = 0, received()
    while True:
        try:
            return act()
        except PassingError as fault:
            if received() >= before + _PROGRESS:
                failures = 0
            before = received()
            if failures == len(PAUSES):
                kept = f" ({megabytes(before)} are kept)" if before else ""
                raise DownloadError(f"{url}: {fault}; the same command continues where it stopped{kept}") from fault
            progress.report(f"{urlsplit(url).netloc}: {fault}; trying again in {PAUSES[failures]:g} s")
            time.sleep(PAUSES[failures])
            failures += 1
