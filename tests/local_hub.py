"""A hub on this machine: it answers the parts of the hub's API that an upload and a download need."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

import yaml

TOKEN = "hf_" + "t" * 34


@dataclass
class Repository:
    """One model or data set: its commits, the newest last, each with all files; the objects of large ones."""

    private: bool = False
    gated: bool = False
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)

    def files(self, revision: str) -> tuple[str, dict[str, bytes]] | None:
        commit = list(self.commits)[-1] if revision == "main" and self.commits else revision
        return (commit, self.commits[commit]) if commit in self.commits else None


@dataclass
class Hub:
    """Its address, its repositories (those of data sets are called datasets/ORG/NAME), and what was asked."""

    url: str = ""
    repositories: dict[str, Repository] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)
    """Old name of a data set -> its name now."""
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    """(method, path, Authorization)."""

    def add_dataset(self, name: str, files: dict[str, bytes]) -> str:
        """Commit the files of a data set; those of Parquet are objects. Return the commit."""
        repository = self.repositories.setdefault(f"datasets/{name}", Repository())
        commit = hashlib.sha1(repr(sorted(files.items())).encode()).hexdigest()
        repository.commits[commit] = files
        large = {each: content for each, content in files.items() if each.endswith(".parquet")}
        self.objects |= {hashlib.sha256(content).hexdigest(): content for content in large.values()}
        return commit


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._resolve(body=False)

    def do_GET(self) -> None:
        if self.path.startswith("/objects/"):
            self._noted()
            self._send(200, self.hub.objects[self.path.rpartition("/")[2]])
        elif found := re.fullmatch(r"/api/(datasets/[^/]+(?:/[^/]+)?)/revision/([^/?]+)(\?.*)?", self.path):
            self._noted()
            self._listing(found[1], unquote(found[2]))
        else:
            self._resolve(body=True)

    def do_PUT(self) -> None:
        content = self._noted()
        digest = self.path.rpartition("/")[2]
        assert hashlib.sha256(content).hexdigest() == digest
        self.hub.objects[digest] = content
        self._send(200)

    def do_POST(self) -> None:
        content = self._noted()
        if self.path == "/api/validate-yaml":
            front = re.match(r"---\n(.*?)\n---\n", json.loads(content)["content"], re.DOTALL)
            errors = [] if front and isinstance(yaml.safe_load(front[1]), dict) else [{"message": "no metadata"}]
            return self._json({"errors": errors, "warnings": []}, status=400 if errors else 200)
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self._json({"error": "Invalid username or password."}, status=401)
        if self.path == "/api/repos/create":
            said = json.loads(content)
            name = f"{said['organization']}/{said['name']}" if said.get("organization") else said["name"]
            known = name in self.hub.repositories
            self.hub.repositories.setdefault(name, Repository(bool(said.get("private"))))
            return self._json({"url": f"{self.hub.url}/{name}", "name": name, "id": name}, status=409 if known else 200)
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/preupload/main", self.path):
            files = [
                {"path": file["path"], "shouldIgnore": False}
                | {"uploadMode": "lfs" if file["path"].endswith((".safetensors", ".model")) else "regular"}
                for file in json.loads(content)["files"]
            ]
            return self._json({"files": files})
        if self.path.endswith(".git/info/lfs/objects/batch"):
            objects = [
                {**each, "actions": {"upload": {"href": f"{self.hub.url}/objects/{each['oid']}"}}}
                for each in json.loads(content)["objects"]
            ]
            return self._json({"transfer": "basic", "objects": objects})
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/commit/main", self.path):
            return self._commit(self.hub.repositories[found[1]], found[1], content)
        return self._json({"error": "no such path"}, status=404)

    def _commit(self, repository: Repository, name: str, content: bytes) -> None:
        before = repository.files("main")
        files = dict(before[1]) if before else {}
        for line in content.splitlines():
            said = json.loads(line)
            if said["key"] == "file":
                files[said["value"]["path"]] = base64.b64decode(said["value"]["content"])
            if said["key"] == "lfsFile":
                files[said["value"]["path"]] = self.hub.objects[said["value"]["oid"]]
        commit = hashlib.sha1(content).hexdigest()
        repository.commits[commit] = files
        self._json({"success": True, "commitOid": commit, "commitUrl": f"{self.hub.url}/{name}/commit/{commit}"})

    def _listing(self, name: str, revision: str) -> None:
        if name in self.hub.moved:
            return self._send(307, headers={"Location": self.path.replace(name, self.hub.moved[name], 1)})
        repository = self.hub.repositories.get(name)
        if repository is None or repository.private:
            return self._send(401, headers={"X-Error-Code": "RepoNotFound"})
        commit = repository.files(revision)
        if commit is None:
            return self._send(404, headers={"X-Error-Code": "RevisionNotFound"})
        said = {"id": name.removeprefix("datasets/"), "sha": commit[0], "private": False, "downloads": 0, "likes": 0}
        siblings = [{"rfilename": file} for file in commit[1]]
        return self._json({**said, "gated": "auto" if repository.gated else False, "tags": [], "siblings": siblings})

    def _resolve(self, *, body: bool) -> None:
        self._noted()
        found = re.fullmatch(r"/((?:datasets/)?[^/]+/[^/]+)/resolve/([^/]+)/(.+)", self.path)
        repository = self.hub.repositories.get(found[1]) if found else None
        if found is None or repository is None or repository.private or repository.gated:
            return self._send(401, headers={"X-Error-Code": "RepoNotFound"})
        commit, file = repository.files(unquote(found[2])), unquote(found[3])
        if commit is None or file not in commit[1]:
            return self._send(404, headers={"X-Error-Code": "EntryNotFound" if commit else "RevisionNotFound"})
        content = commit[1][file]
        digest = hashlib.sha256(content).hexdigest()
        if digest in self.hub.objects:
            headers = {"X-Linked-Etag": f'"{digest}"', "X-Linked-Size": str(len(content))}
            headers |= {"Location": f"/objects/{digest}", "X-Repo-Commit": commit[0]}
            return self._send(302, headers=headers)
        git = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        return self._send(200, content, {"ETag": f'"{git}"', "X-Repo-Commit": commit[0]}, body=body)

    def _noted(self) -> bytes:
        self.hub.requests.append((self.command, self.path, self.headers.get("Authorization", "")))
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        content = b""
        while size := int(self.rfile.readline(), 16):
            content += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return content

    def _json(self, value: Any, *, status: int = 200) -> None:
        self._send(status, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _send(
        self, status: int, content: bytes = b"", headers: dict[str, str] | None = None, *, body: bool = True
    ) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(content)


@contextmanager
def local_hub() -> Iterator[Hub]:
    """Run a hub without models on a free port while the block runs."""
    hub = Hub()
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
