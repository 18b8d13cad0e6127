"""Damaged run folders and shards: what is read is good, or one sentence, in bounded time and memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.training.fuzzed_readers import READERS
from tests.training.fuzzing import fuzz

ROOT = Path(__file__).resolve().parents[2]

PAST: dict[str, tuple[int, ...]] = {
    "checkpoints": (1, 32, 38, 75, 125, 164, 174, 198, 217, 276, 281, 288, 292),
    "pretraining checkpoints": (10387,),
    "progress of shards": (19514,),
    "settings": (168, 176, 192),
}
"""Reader -> numbers of cases that once broke a promise."""


@pytest.mark.parametrize("name", sorted(READERS))
def test_some_damaged_files(name: str) -> None:
    tally = fuzz(name, range(40))
    assert tally.broken == []
    assert tally.refused > 15  # the fuzzer does damage


@pytest.mark.parametrize(("name", "number"), [(name, number) for name in PAST for number in PAST[name]])
def test_what_once_went_wrong(name: str, number: int) -> None:
    assert fuzz(name, range(number, number + 1)).broken == []


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(READERS))
def test_twenty_thousand_damaged_files(name: str) -> None:
    # In a process of its own, so that a crash in a C library does not take the tests along.
    done = subprocess.run(
        [sys.executable, "-m", "tests.training.fuzzing", "--reader", name, "--count", "20000"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
