"""Two processes under torchrun fine-tune and distil as one process with two workers, also if they died between."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests import tiny_teacher
from tests.tiny import keyword_rows, settings, write_csv
from tests.training import stopped

from albertkit.errors import UsageError
from albertkit.models.pretrained import load_model
from albertkit.training.checks import check_together
from albertkit.training.distillation.distill import distill
from albertkit.training.finetune import finetune
from albertkit.training.settings import FinetuneSettings


def _torchrun(*command: str) -> subprocess.CompletedProcess[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    environment.pop("WORLD_SIZE", None)
    run = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", str(port)]
    return subprocess.run([*run, *command], env=environment, capture_output=True, text=True, check=False)


def _events(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def _same(one: Path, two: Path) -> None:
    for ours, theirs in zip(_events(one), _events(two), strict=True):
        for name in ours.keys() - {"seconds"}:
            if isinstance(ours[name], float):
                assert ours[name] == pytest.approx(theirs[name], abs=1e-4), (ours, theirs)
    first, second = (load_model(run).network.canonical_state() for run in (one, two))
    assert max(float((first[name] - second[name]).abs().max()) for name in first) < 1e-4


@pytest.mark.parametrize("changes", [{}, {"head_norm": "batch", "head_hidden": (8,)}], ids=["by pass", "whole step"])
def test_two_processes_fine_tune_as_one_with_two_workers(changes: dict[str, Any], tmp_path: Path) -> None:
    data = write_csv(tmp_path / "keywords.csv", keyword_rows(60))
    shape: dict[str, Any] = {"epochs": 2, "batch_size": 8, "baseline": False, "plots": False, **changes}
    one = finetune(settings(data, tmp_path / "one", parallel=2, **shape))
    given = settings(data, tmp_path / "two", save_seconds=0.0, **shape)
    written = tmp_path / "settings.json"
    written.write_text(json.dumps(given.to_dict()))
    died = _torchrun(stopped.__file__, str(written), "5")
    assert died.returncode, died.stderr
    assert _events(tmp_path / "two")[-1]["step"] == 5
    done = _torchrun(stopped.__file__, str(written), "1000")
    assert done.returncode == 0, done.stderr
    _same(tmp_path / "one", tmp_path / "two")
    report = json.loads((tmp_path / "two" / "report.json").read_text())
    assert report["environment"]["processes"] == 2
    assert report["metrics"] == pytest.approx(one.metrics, abs=1e-4)
    assert report["temperature"] == pytest.approx(one.temperature, abs=1e-3)


def test_two_processes_distil_as_one(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    distill(tiny_teacher.settings(tmp_path / "one", pretraining=True, parallel=2))
    given = tiny_teacher.settings(tmp_path / "two", pretraining=True)
    done = _torchrun(
        "-m", "--", "albertkit", "distill", "--teacher", str(given.teacher), "--config", str(given.config),
        "--data", *given.data, "--out", given.out, "--start", str(given.start), "--pretraining",
        "--steps", str(given.steps), "--batch-size", str(given.batch_size), "--max-length", str(given.max_length),
        "--held-out", str(given.held_out), "--precision", "fp32", "--device", "cpu", "--threads", "1",
        "--eval-share", str(given.eval_share), "--learning-rate", str(given.learning_rate),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    _same(tmp_path / "one", tmp_path / "two")


def test_a_head_on_features_is_trained_by_one_process(tmp_path: Path) -> None:
    given = FinetuneSettings(model="albert-nano", data="polarity", out=str(tmp_path / "run"), freeze_encoder=True)
    with pytest.raises(UsageError, match=r"--freeze-encoder trains a head on .* torchrun started 2 processes"):
        check_together(given, world=2)
    check_together(given, world=1)
    check_together(replace(given, freeze_encoder=False), world=2)
