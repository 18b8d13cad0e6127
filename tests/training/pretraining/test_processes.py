"""Two processes under torchrun train as one with accumulation."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from tests import tiny_corpus
from tests.tiny import CONFIG

from albertkit.errors import RunError, UsageError
from albertkit.hardware.device import Execution
from albertkit.models.pretrained import load_model
from albertkit.training.agreement import check_agreement
from albertkit.training.pretraining.pretrain import pretrain
from albertkit.training.processes import Processes, join_processes

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
    report = json.loads(done.stdout)  # one document: only the first process prints
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
    with pytest.raises(UsageError, match=r"RANK.*torchrun"), join_processes():
        pass


def _both(work: Callable[[Processes], Any]) -> list[Any]:
    """Let two processes, threads here, meet at one store; return what each got or raised."""
    store = dist.HashStore()

    def one(rank: int) -> Any:
        try:
            return work(Processes(rank, 2, store))
        except Exception as error:
            return error

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(one, range(2)))


def test_an_error_of_one_is_an_error_of_all() -> None:
    def work(processes: Processes) -> list[Any]:
        with processes.together("check"):
            if processes.rank == 1:
                raise UsageError("no such folder")
        return processes.gather("never", None)

    first, second = _both(work)
    assert isinstance(first, RunError)
    assert re.fullmatch("process 1 on .* cannot take part: no such folder", str(first))
    assert isinstance(second, UsageError)


@pytest.mark.parametrize(
    ("changes", "begun", "message"),
    [
        ({}, (False, False), None),
        ({"out": "elsewhere", "threads": 4}, (True, False), None),
        ({"seed": 3}, (False, False), "seed is 12345 for process 0 on .* and 3 for process 1 on "),
        ({}, (False, True), "process 1 on .* sees the run to resume, but process 0 on .* does not"),
    ],
)
def test_processes_compare_what_they_are_about_to_do(
    tmp_path: Path, changes: dict[str, Any], begun: tuple[bool, bool], message: str | None
) -> None:
    settings = tiny_corpus.settings(tmp_path)

    def work(processes: Processes) -> None:
        check_agreement(
            processes,
            replace(settings, **changes) if processes.rank else settings,
            out="run",
            config=CONFIG,
            inputs={"shards": "the same"},
            execution=Execution("cpu", "fp32", 1 + processes.rank),
            begun=begun[processes.rank],
        )

    errors = _both(work)
    assert [error is None for error in errors] == [message is None] * 2
    for error in errors if message else ():
        assert re.search(message, str(error))


def test_a_checkpoint_travels_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(dist, "broadcast_object_list", lambda plan, **_: sent.append(plan[0]))
    monkeypatch.setattr(dist, "broadcast", lambda tensor, **_: sent.append(tensor.clone()))
    saved = {"weights": {"a": torch.arange(3.0)}, "state": {0: {"step": torch.tensor(2.0)}}, "names": ["x", 1]}
    whole = Processes(0, 2).broadcast(saved)
    assert torch.equal(whole["weights"]["a"], torch.arange(3.0))
    assert (whole["state"][0]["step"], whole["names"]) == (torch.tensor(2.0), ["x", 1])
    plan, *tensors = sent

    def plan_of_the_first(received: list[Any], **_: Any) -> None:
        received[0] = plan

    monkeypatch.setattr(dist, "broadcast_object_list", plan_of_the_first)
    monkeypatch.setattr(dist, "broadcast", lambda tensor, **_: tensor.copy_(tensors.pop(0)))
    arrived = Processes(1, 2).broadcast(None)
    assert torch.equal(arrived["weights"]["a"], torch.arange(3.0))
    assert (arrived["state"][0]["step"], arrived["names"]) == (torch.tensor(2.0), ["x", 1])
