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


@pytest.mark.slow
def test_inference_says_how_far_each_peer_is() -> None:
    report = report_of("inference.py", *TINY, "--rounds", "1")
    assert {row["case"] for row in report["cases"]} == {"snippets, ten by ten", "snippets", "one"}
    assert {row["peer_name"].partition(" ")[0] for row in report["cases"]} >= {"transformers"}
    fp32 = [row for row in report["cases"] if row["precision"] == "fp32"]
    assert fp32
    assert all(row["max_difference"] < 1e-4 for row in fp32)


@pytest.mark.slow
def test_curves_draws_what_it_measured(tmp_path: Path) -> None:
    report = report_of("curves.py", *TINY, "--plot", str(tmp_path / "curves.png"))
    assert {row["varied"] for row in report["cases"]} == {"length", "texts", "threads"}
    assert (tmp_path / "curves.png").stat().st_size > 10_000


@pytest.mark.slow
def test_endurance_notes_memory_and_speed(tmp_path: Path) -> None:
    report = report_of("endurance.py", *"--threads 1 --minutes 0.1 --plot".split(), str(tmp_path / "endurance.png"))
    assert [row["unit"] for row in report["cases"]] == ["MB", "s"]
    assert len(report["points"]) == 20
    assert all(point["megabytes"] > 100 for point in report["points"])
    assert (tmp_path / "endurance.png").exists()


@pytest.mark.slow
def test_starting_gives_the_pipeline_s_answer() -> None:
    (row,) = report_of("starting.py", "--quick", "--threads", "1")["cases"]
    assert row["max_difference"] < 1e-3
    assert row["help_seconds"] < row["ours"]
