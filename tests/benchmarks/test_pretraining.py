"""The program against transformers at tiny sizes: the JSON's form, and that both sides train the same."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("transformers")

PROGRAM = Path(__file__).resolve().parents[2] / "benchmarks" / "pretraining.py"
KEYS = "case precision ours peer peer_name peer_mode peer_precision unit ratio max_difference".split()


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(PROGRAM), *arguments], capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_report(tmp_path: Path) -> None:
    out = tmp_path / "figures.json"
    tiny = "--quick --threads 1 --rounds 1 --lengths 16 32 --batch-tokens 128".split()
    done = run(*tiny, "--json-out", str(out))
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert json.loads(out.read_text(encoding="utf-8")) == report
    assert report["name"] == "pretraining"
    assert report["machine"]["threads"] == 1
    assert set(report["peaks"]) == {"fp32_gflops", "bf16_gflops"}
    assert [(row["case"], row["precision"]) for row in report["cases"]] == [
        (f"{length} tokens", precision) for length in (16, 32) for precision in ("fp32", "bf16")
    ]
    for row in report["cases"]:
        assert set(KEYS) <= set(row)
        assert row["ratio"] == pytest.approx(row["ours"] / row["peer"], rel=0.01)
        assert row["max_difference"] < (1e-4 if row["precision"] == "fp32" else 0.1)
        modes = [one for one in report["details"] if one["case"] == row["case"] and one["name"] == "transformers"]
        fair = [one for one in modes if row["precision"] != "fp32" or one["precision"] == "fp32"]
        assert len(modes) == 4
        assert row["peer"] == max(one["median"] for one in fair)


@pytest.mark.slow
def test_what_cannot_be_is_one_sentence() -> None:
    done = run("--quick", "--model", "albert-nan", "--lengths", "16")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        'error: unknown model "albert-nan"; did you mean "albert-nano"? (albertkit models lists them)'
    ]
