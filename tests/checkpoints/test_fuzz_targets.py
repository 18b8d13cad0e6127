"""Damaged JSON, tokenizer files, estimator states and pickles: something usable or one sentence, within bounds.

What this found has tests of its own: test_pickled.py, test_json_tokenizer.py, test_vocabulary.py and test_saving.py.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.checkpoints.fuzz_targets import TARGETS, fuzz

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_some_damaged_files(name: str) -> None:
    tally = fuzz(name, range(25))
    assert tally.broken == []
    assert tally.outcomes["CheckpointError"] > 5  # the damage is seen


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(TARGETS))
def test_twenty_thousand_damaged_files(name: str) -> None:
    # In a process of its own: a crash in a C library must not take the tests along.
    done = subprocess.run(
        [sys.executable, "-m", "tests.checkpoints.fuzz_targets", "--target", name, "--count", "20000"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
