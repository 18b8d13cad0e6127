"""Fixtures of all tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from albertkit.hardware.processor import capabilities

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder with the golden files, foreign checkpoints and real data that are not part of this repository."""
    folder = REPOSITORY.parent / "shared"
    if not (folder / "golden").is_dir():
        pytest.skip("the folder ../shared with golden files and real data is not next to this checkout")
    return folder


@pytest.fixture(scope="module")
def unlimited_openvino() -> Iterator[None]:
    """Hide a limit on oneDNN from OpenVINO, which crashes under it; PyTorch has read its own by then."""
    capabilities()
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
        yield


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep every cache of a test run inside its temporary folder."""
    monkeypatch.setenv("ALBERTKIT_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(autouse=True)
def _no_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep lines of progress, which come by the clock, out of what tests read on standard error."""
    monkeypatch.setenv("ALBERTKIT_PROGRESS", "0")
