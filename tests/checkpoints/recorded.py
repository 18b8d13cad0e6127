"""Checkpoints that other software wrote, with what it computed: in tests/golden where small, the rest in ../shared."""

from __future__ import annotations

from pathlib import Path

import pytest

from albertkit.errors import CheckpointError
from albertkit.io.archive import unpack

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
SHARED = GOLDEN.parents[2] / "shared" / "fixtures"


def recorded_model(name: str, folder: Path) -> Path:
    """Return a recorded model with its `expected.npz`, laid out below `folder`; skip the test where it is not here."""
    archive = GOLDEN / f"{name}.tar.xz"
    if archive.is_file():
        unpack(archive, folder / "recorded", error=CheckpointError)
        return folder / "recorded" / name
    if not SHARED.is_dir():
        pytest.skip("the foreign checkpoints are not next to this checkout")
    return SHARED / name
