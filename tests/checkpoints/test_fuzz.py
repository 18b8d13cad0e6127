"""Damaged files of every format: a model or one sentence, in bounded time and memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.checkpoints.fuzzing import fuzz, run_case
from tests.checkpoints.healthy import HEALTHY

ROOT = Path(__file__).resolve().parents[2]

PAST: dict[str, tuple[int, ...]] = {"zip": (312, 566, 740, 777)}
"""Format -> numbers of cases that once broke a promise."""


@pytest.mark.parametrize("name", sorted(HEALTHY))
def test_a_healthy_model_reads(name: str, tmp_path: Path) -> None:
    from albertkit.checkpoints import read_checkpoint

    assert len(read_checkpoint(HEALTHY[name](tmp_path)).state) > 25


@pytest.mark.parametrize("name", sorted(HEALTHY))
def test_some_damaged_files(name: str) -> None:
    tally = fuzz(name, range(60))
    assert tally.broken == []
    assert tally.outcomes["CheckpointError"] > 15  # the fuzzer does damage


@pytest.mark.parametrize(("name", "number"), [(name, number) for name in PAST for number in PAST[name]])
def test_what_once_went_wrong(name: str, number: int, tmp_path: Path) -> None:
    run_case(HEALTHY[name](tmp_path / "healthy"), tmp_path / "damaged", name=name, number=number)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(HEALTHY))
def test_twenty_thousand_damaged_files(name: str) -> None:
    # In a process of its own: a crash in a C library must not take the tests along.
    done = subprocess.run(
        [sys.executable, "-m", "tests.checkpoints.fuzzing", "--format", name, "--count", "20000"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
