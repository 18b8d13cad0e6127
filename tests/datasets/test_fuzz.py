"""Damaged tables and prediction files: read, or one sentence, in bounded time and memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.datasets.fuzzing import KINDS, fuzz

ROOT = Path(__file__).resolve().parents[2]

pytest.importorskip("pyarrow")


@pytest.mark.parametrize("kind", KINDS)
def test_some_damaged_files(kind: str) -> None:
    tally = fuzz(kind, range(60))
    assert tally.broken == []
    assert tally.outcomes["DataError"] > 20  # the fuzzer does damage
    assert tally.outcomes["read"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_twenty_thousand_damaged_files(kind: str) -> None:
    # In a process of its own: a crash in a C library must not take the tests along.
    done = subprocess.run(
        [sys.executable, "-m", "tests.datasets.fuzzing", "--kind", kind, "--count", "20000"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
