"""Damaged JSON, tokenizer files, estimator states and pickles: something usable or one sentence, within bounds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.checkpoints.fuzz_targets import TARGETS, fuzz, run_case

ROOT = Path(__file__).resolve().parents[2]

PAST: dict[str, tuple[int, ...]] = {"exported": (4, 194), "tokenizer": (146,), "estimator": (30, 54, 69)}
"""Target -> numbers of cases that once broke a promise."""


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_some_damaged_files(name: str) -> None:
    row, broken = fuzz(name, range(25))
    assert broken == []
    assert row["CheckpointError"] > 5  # the damage is seen


@pytest.mark.parametrize(("name", "number"), [(name, number) for name in PAST for number in PAST[name]])
def test_what_once_went_wrong(name: str, number: int, tmp_path: Path) -> None:
    run_case(TARGETS[name].make(tmp_path), tmp_path / "damaged", name=name, number=number)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(TARGETS))
def test_twenty_thousand_damaged_files(name: str) -> None:
    # In a process of its own: a crash in a C library must not take the tests along.
    done = subprocess.run(
        [sys.executable, "-m", "tests.checkpoints.fuzz_targets", "--target", name, "--count", "20000"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
