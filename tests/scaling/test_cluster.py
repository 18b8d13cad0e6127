"""Ray itself: two workers on this machine give what one process gives."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.tiny import tiny_folder

from albertkit.errors import UsageError
from albertkit.scaling.cluster import Shares, share


def test_shares() -> None:
    assert share([(8, 0)], workers=2, threads=None) == Shares(2, 2, 4)
    assert share([(8, 0)], workers=3, threads=None) == Shares(3, 3, 2)
    assert share([(1, 0), (1, 0)], workers=3, threads=None) == Shares(2, 3, 1)  # the third waits for a node
    assert share([(8, 0), (16, 0)], workers=None, threads=None) == Shares(2, 64, 8)
    assert share([(8, 0)], workers=2, threads=8) == Shares(1, 2, 8)
    assert share([(16, 2), (8, 0)], workers=None, threads=None) == Shares(2, 64, 8, 1)
    assert share([(16, 2)], workers=4, threads=None, device="cpu") == Shares(4, 4, 4)
    with pytest.raises(UsageError, match="no node of the Ray cluster has a GPU"):
        share([(8, 0)], workers=1, threads=None, device="cuda")


def command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    program = [sys.executable, "-m", "albertkit", *map(str, arguments)]
    return subprocess.run(program, capture_output=True, text=True, env=environment, check=False)


@pytest.mark.slow
def test_two_workers(tmp_path: Path) -> None:
    pytest.importorskip("ray.data")
    parquet = pytest.importorskip("pyarrow.parquet")
    source, single, out = tmp_path / "t.jsonl", tmp_path / "single.parquet", tmp_path / "out"
    source.write_text("".join(json.dumps({"text": f"film {n}", "n": n}) + "\n" for n in range(5000)))
    both = ("embed", tiny_folder(), "--input", source, "--threads", "1", "--precision", "fp32", "--json", "--output")
    assert command(*both, single).returncode == 0
    done = command(*both, out, "--ray", "local", "--workers", "2")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert (found["texts"], found["parts"], found["made"]) == (5000, 3, 3)
    assert parquet.read_table(out).equals(parquet.read_table(single))
    source.write_text('{"text": "a"}\n{"text": 5}\n')
    bad = command(*both, tmp_path / "bad", "--ray", "local")
    assert (bad.returncode, bad.stdout) == (1, "")
    assert bad.stderr == f'error: {source}, line 2: "text" is 5, a int, not a text; repair the file\n'
    nobody = command(*both, tmp_path / "none", "--ray", "127.0.0.1:1")
    assert (nobody.returncode, nobody.stdout) == (1, "")
    assert 'error: no Ray cluster at "127.0.0.1:1"' in nobody.stderr
