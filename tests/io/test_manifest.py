"""The record of a download: damaged or malicious ones are none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from albertkit.io.manifest import MANIFEST, changed_files, read_manifest


@pytest.mark.parametrize(
    "content",
    ["", "[]", "null", '{"format": 9}', "[" * 100_000, '{"format": 1, "name": "n", "source": "s", "revision": null}'],
)
def test_a_manifest_that_is_none(content: str, tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text(content)
    assert read_manifest(tmp_path) is None
    assert changed_files(tmp_path) == [MANIFEST]


@pytest.mark.parametrize("name", ["../x", "/etc/hostname", "a\\b", "C:x", ""])
def test_a_manifest_names_no_file_elsewhere(name: str, tmp_path: Path) -> None:
    record = {"url": "u", "size": 1, "sha256": "0"}
    (tmp_path / "x").write_text("x")
    (tmp_path / "in").mkdir()
    manifest = {"format": 1, "name": "n", "source": "hub", "revision": None, "files": {name: record}}
    (tmp_path / "in" / MANIFEST).write_text(json.dumps(manifest))
    assert read_manifest(tmp_path / "in") is None
