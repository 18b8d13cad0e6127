"""Two processes under torchrun train as one with accumulation."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from tests import tiny_corpus

from albertkit.errors import UsageError
from albertkit.pretrained import load_model
from albertkit.training.pretraining.pretrain import pretrain
from albertkit.training.pretraining.processes import Processes, join_processes

STEPS = 6


def _losses(run: Path) -> list[tuple[float, float]]:
    events = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [(event["mlm_loss"], event["sop_loss"]) for event in events if event["event"] == "step"]


def test_two_processes_equal_one_with_accumulation(tmp_path: Path) -> None:
    one = tmp_path / "one"
    alone = pretrain(tiny_corpus.settings(one, accumulate=2, steps=STEPS, stages="1x16:.5,2x32:.5"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    two = tmp_path / "two"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment.pop("WORLD_SIZE", None)
    command = [
        sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", str(port),
        "-m", "albertkit", "pretrain", "--data", str(tiny_corpus.tiny_shards()), "--config",
        str(tiny_corpus.tiny_config()), "--out", str(two), "--steps", str(STEPS), "--stages", "1x16:.5,2x32:.5",
        "--batch-tokens", "256", "--learning-rate", "5e-3", "--held-out", "0.1", "--eval-share", "0.25",
        "--device", "cpu", "--precision", "fp32", "--threads", "1", "--json",
    ]  # fmt: skip
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)  # one document: the first process alone speaks
    assert report["environment"]["processes"] == 2
    assert report["tokens"] == alone.tokens
    assert len(_losses(two)) == STEPS
    for ours, theirs in zip(_losses(one), _losses(two), strict=True):
        assert ours == pytest.approx(theirs, abs=1e-4)
    assert report["mlm_loss"] == pytest.approx(alone.mlm_loss, abs=1e-4)
    first, second = (load_model(run).network.canonical_state() for run in (one, two))
    assert max(float((first[name] - second[name]).abs().max()) for name in first) < 1e-4


def test_a_batch_goes_to_one_process_alone() -> None:
    shares = [Processes(rank, 3).share(range(8)) for rank in range(3)]
    assert sorted(item for share in shares for item in share) == list(range(8))
    assert Processes().sums([1.0, 2.5]) == [1.0, 2.5]


def test_half_of_torchruns_variables_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(UsageError, match=r"RANK.*torchrun"), join_processes("cpu"):
        pass
