"""A web server on this machine that misbehaves as told: redirects, no ranges, cut lines, wrong files, slow starts."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Served:
    """How one path is answered."""

    content: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    ranges: bool = True
    """Whether Range is obeyed."""
    tag: str | None = "content"
    """The ETag; "content" makes one of the content."""
    cuts: list[int] = field(default_factory=list)
    """For each coming answer: after how many bytes the line is cut."""
    failures: list[int] = field(default_factory=list)
    """Status of each coming answer, before the right one."""
    delay: float = 0.0
    """Seconds before the answer."""
    length: int | None = None
    """What Content-Length claims."""
    head: dict[str, str] | None = None
    """Headers of only a HEAD, as the hub gives them with a redirect."""


@dataclass
class Server:
    """Its address, what it serves, and what was asked."""

    url: str
    paths: dict[str, Served]
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    """(method, path, Range)."""

    def gets(self) -> list[tuple[str, str]]:
        """(path, Range) of all GETs."""
        return [(path, span) for method, path, span in self.requests if method == "GET"]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_of: Server

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        server = self.server_of
        server.requests.append((self.command, self.path, self.headers.get("Range", "")))
        served = server.paths.get(self.path, Served(status=404))
        time.sleep(served.delay)
        status, content, headers = served.status, served.content, dict(served.headers)
        if not body and served.head is not None:
            headers |= served.head
        if body and served.failures:
            status, content, headers = served.failures.pop(0), b"sorry", {}
        if status == 200 and served.tag is not None:
            headers.setdefault("ETag", f'"{tag_of(served)}"')
        span, condition = self.headers.get("Range"), self.headers.get("If-Range")
        if status == 200 and body and span and served.ranges and condition in (None, headers.get("ETag")):
            start = int(span.removeprefix("bytes=").removesuffix("-"))
            if start >= len(content):
                status, content = 416, b""
            else:
                headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
                status, content = 206, content[start:]
        self.send_response(status)
        headers.setdefault("Content-Length", str(len(content) if served.length is None else served.length))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if body and status in (200, 206) and served.cuts:
            self.wfile.write(content[: served.cuts.pop(0)])
            self.close_connection = True
        elif body:
            self.wfile.write(content)


def tag_of(served: Served) -> str:
    """The ETag without its quotes."""
    return hashlib.md5(served.content).hexdigest() if served.tag == "content" else served.tag or ""


@contextmanager
def serving(paths: dict[str, Served]) -> Iterator[Server]:
    """Serve on a free port while the block runs."""
    handler = type("Handler", (_Handler,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    told = Server(f"http://127.0.0.1:{server.server_port}", paths)
    handler.server_of = told  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


COMMIT = "0123456789abcdef0123456789abcdef01234567"


def hub_paths(repository: str, files: dict[str, bytes], *, large: tuple[str, ...] = ()) -> dict[str, Served]:
    """A model on a hub: small files answered at once with their git tag, large ones by a redirect to a store.

    What `main` and the commit answer is the same.
    """
    paths = {}
    for name, content in files.items():
        git = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        for revision in ("main", COMMIT):
            path = f"/{repository}/resolve/{revision}/{name}"
            if name in large:
                paths[path] = Served(
                    status=302,
                    headers={
                        "Location": f"/store/{name}",
                        "X-Repo-Commit": COMMIT,
                        "X-Linked-Etag": f'"{hashlib.sha256(content).hexdigest()}"',
                        "X-Linked-Size": str(len(content)),
                    },
                )
            else:
                paths[path] = Served(content, tag=git, headers={"X-Repo-Commit": COMMIT})
        if name in large:
            paths[f"/store/{name}"] = Served(content)
    return paths
