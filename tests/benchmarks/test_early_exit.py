"""The program on a small run: the JSON's form, full depth first, and a picture."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.tiny import keyword_rows, settings, write_csv

pytest.importorskip("transformers")

PROGRAM = Path(__file__).resolve().parents[2] / "benchmarks" / "early_exit.py"
KEYS = "case precision ours peer peer_name peer_mode peer_precision unit ratio max_difference".split()


@pytest.mark.slow
def test_the_report_and_the_picture(tmp_path: Path) -> None:
    from albertkit.training.finetune import finetune

    data = write_csv(tmp_path / "keywords.csv", keyword_rows(60))
    finetune(settings(data, tmp_path / "run", epochs=2, exits=True))
    plot = tmp_path / "curve.png"
    done = subprocess.run(
        [sys.executable, str(PROGRAM), "--run", str(tmp_path / "run"), "--data", str(data), "--rounds", "1",
         "--precision", "fp32", "--plot", str(plot)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["name"] == "early_exit"
    assert [row["case"] for row in report["cases"]][:2] == ["full depth", "patience 1"]
    full, patient = report["cases"][:2]
    assert (full["mean_layers"], full["ratio"]) == (2.0, 1.0)
    assert patient["value"] == full["value"]  # of two layers, patience 1 lets nobody leave
    for row in report["cases"]:
        assert set(KEYS) <= set(row)
        assert 1 <= row["mean_layers"] <= 2
    assert plot.read_bytes().startswith(b"\x89PNG")
