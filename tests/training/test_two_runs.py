"""Two processes with one --out: one trains as if it were on its own, the other is refused."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.tiny import keyword_rows, settings, tiny_folder, write_csv
from tests.training.test_resume import outcome

from albertkit.errors import RunError
from albertkit.io.locks import locked
from albertkit.training.finetune import finetune

OPTIONS = ("--steps 150 --batch-size 8 --learning-rate 5e-3 --max-length 32 --device cpu --precision fp32 "
           "--threads 1 --no-baseline --save-seconds 0.2").split()  # fmt: skip


def start(data: Path, out: Path, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "albertkit", "finetune", "--model", str(tiny_folder()), "--data", str(data)]
    return subprocess.Popen(
        [*command, "--out", str(out), *OPTIONS, *more],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_a_locked_folder_is_refused(tmp_path: Path) -> None:
    data = write_csv(tmp_path / "t.csv", keyword_rows(30))
    for resume in (False, True):
        with locked(tmp_path / "run"), pytest.raises(RunError, match=r"another albertkit \(process .*\) writes there"):
            finetune(settings(data, tmp_path / "run"), resume=resume)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_twenty_pairs_of_runs(tmp_path: Path) -> None:
    data = write_csv(tmp_path / "t.csv", keyword_rows(90))
    undisturbed = start(data, tmp_path / "alone")
    said = undisturbed.communicate()[1]
    assert undisturbed.returncode == 0, said
    expected = outcome(tmp_path / "alone")
    for number in range(20):
        out = tmp_path / f"run-{number}"
        more = ["--resume"] if number % 2 else []
        pair = []
        for _ in range(2):
            pair.append(start(data, out, *more))
            time.sleep(0.3)
        errors = [process.communicate()[1] for process in pair]
        codes = [process.returncode for process in pair]
        assert sorted(codes) == [0, 1], errors
        winner = codes.index(0)
        assert f"another albertkit (process {pair[winner].pid} on " in errors[1 - winner]
        assert outcome(out) == expected
        assert [path.name for path in out.rglob(".*")] == []
