"""Each program at tiny sizes: the JSON's form, and what must hold whatever the machine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers")

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
KEYS = "case precision ours peer peer_name peer_mode peer_precision unit ratio max_difference".split()
TINY = "--quick --threads 1 --model albert-nano".split()


def report_of(program: str, *arguments: str) -> dict[str, Any]:
    """Run a program; check what is common to all reports."""
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / program), *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    assert {"name", "machine", "peaks", "cases"} <= set(report)
    assert report["machine"]["threads"] == 1
    for row in report["cases"]:
        assert set(KEYS) <= set(row)
        speed = row["peer"] / row["ours"] if row["unit"] == "s" else row["ours"] / row["peer"]
        assert row["ratio"] == pytest.approx(speed, rel=0.02)
    return report


@pytest.mark.slow
def test_finetuning() -> None:
    report = report_of("finetuning.py", *TINY, *"--batch-size 2 --length 16 --max-length 24".split())
    assert report["name"] == "finetuning"
    for case in {row["case"] for row in report["cases"]}:
        curves = report["details"][case]
        ours, peer = curves["albertkit fp32 own"]["losses"], curves["transformers fp32 sdpa"]["losses"]
        assert len(ours) == 2  # the warm-up's step and the timed one
        assert ours == pytest.approx(peer, abs=1e-4)
        assert ours[0] != pytest.approx(ours[1], abs=1e-4)
    for row in report["cases"]:
        assert 0 < row["share_of_peak"] < 1.5
        assert row["padded_share"] == 0 or row["peer_mode"] == "as-is"


@pytest.mark.slow
def test_probing() -> None:
    report = report_of("probing.py", *TINY, *"--texts 3".split())
    for row in report["cases"]:
        assert row["peer_extrapolated"].startswith("100 times the median of 1 measured")
        assert row["ours"] == pytest.approx(row["features_seconds"] + row["head_seconds"], rel=1e-2)


@pytest.mark.slow
def test_preparing() -> None:
    (row,) = report_of("preparing.py", "--quick", "--threads", "1")["cases"]
    assert row["peer"] == 105
    assert "not in this run" in row["peer_measured"]


@pytest.mark.slow
def test_load() -> None:
    (row,) = report_of("load.py", *TINY, "--rounds", "1")["cases"]
    assert row["max_difference"] < 1e-4
