"""Fixtures of the checkpoint tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from albertkit.checkpoints.huggingface import HUGGINGFACE
from checkpoints.folders import made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    HUGGINGFACE.write(made("mlm", "sop"), tmp_path)
    return tmp_path
