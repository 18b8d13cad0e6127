"""Fixtures of the tests on data sets."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest


def _write_archive(path: Path, files: dict[str, bytes]) -> Path:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        return path
    with tarfile.open(path, "w:" + path.suffix.removeprefix(".").replace("tgz", "gz").replace("tar", "")) as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


@pytest.fixture
def write_archive() -> Callable[[Path, dict[str, bytes]], Path]:
    """Function (path, member name -> content) that writes a zip or tar of the kind that the path says."""
    return _write_archive
