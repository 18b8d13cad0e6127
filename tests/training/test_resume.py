"""A run that was stopped, politely or by kill -9, ends with the bytes of a run that was not interrupted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.tiny import keyword_rows, settings, tiny_folder, tiny_network, without_pictures, write_csv

from albertkit.errors import RunError
from albertkit.models.loaded import Model
from albertkit.models.pretrained import save_model
from albertkit.text.tokenizer import Tokenizer
from albertkit.training import epochs as module
from albertkit.training.finetune import finetune
from albertkit.training.run_folder import RunFolder
from albertkit.training.settings import FinetuneSettings

KINDS: dict[str, dict[str, Any]] = {
    "whole": {"epochs": 3, "batch_size": 8},
    "deep head, several passes": {
        "epochs": 3, "batch_size": 16, "head_hidden": (8, 4), "head_norm": "batch", "batch_tokens": 60,
    },
    "frozen": {"epochs": 3, "batch_size": 8, "freeze_encoder": True, "head_hidden": (8,), "head_norm": "batch"},
    "mean, several passes": {"epochs": 2, "batch_size": 16, "batch_tokens": 60, "pooling": "mean"},
    "patience": {"epochs": 12, "batch_size": 8, "patience": 1},
}  # fmt: skip


def outcome(run: Path) -> tuple[bytes, list[dict[str, Any]], dict[str, Any]]:
    """The model's bytes, the events and the report, without what clocks say."""
    lines = (run / "metrics.jsonl").read_text().splitlines()
    events = [{key: value for key, value in json.loads(line).items() if key != "seconds"} for line in lines]
    report = json.loads((run / "report.json").read_text())
    report = {key: report[key] for key in ("metrics", "best_epoch", "epochs", "confusion")}
    model = b"".join(path.read_bytes() for path in sorted((run / "model").glob("*.safetensors")))
    return model, events, report


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures have tests of their own and cost more than these trainings."""
    without_pictures(monkeypatch)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_csv(tmp_path_factory.mktemp("data") / "keywords.csv", keyword_rows(90))


class StoppedError(Exception):
    """Replaces whatever ends a process."""


def stop_after(given: FinetuneSettings, steps: int, *, resume: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run until so many steps were made, then leave in the middle of the loop."""
    original = module.train_steps

    def counted(*arguments: Any, **options: Any) -> Any:
        for number, step in enumerate(original(*arguments, **options)):
            if number == steps:
                raise StoppedError
            yield step

    with monkeypatch.context() as patch:
        patch.setattr(module, "train_steps", counted)
        with pytest.raises(StoppedError):
            finetune(given, resume=resume)


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_stopped_twice_ends_as_one_left_alone(
    kind: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = settings(data, tmp_path / "alone", **KINDS[kind])
    finetune(alone)
    # Saved at every step, or only at the ends of epochs: then steps are made a second time.
    for name, seconds in (("often", 0.0), ("seldom", 1e9)):
        given = settings(data, tmp_path / name, save_seconds=seconds, **KINDS[kind])
        stop_after(given, 4, resume=False, monkeypatch=monkeypatch)
        stop_after(given, 5, resume=True, monkeypatch=monkeypatch)
        finetune(given, resume=True)
        assert outcome(tmp_path / name) == outcome(tmp_path / "alone")


def test_resume_without_a_run_starts_one(data: Path, tmp_path: Path) -> None:
    finetune(settings(data, tmp_path / "run", epochs=None, steps=2), resume=True)
    assert (tmp_path / "run" / "report.json").is_file()


def test_changed_settings_and_corrupt_checkpoints_are_refused(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = settings(data, tmp_path / "run", save_seconds=0.0)
    stop_after(given, 3, resume=False, monkeypatch=monkeypatch)
    with pytest.raises(RunError, match="the settings it started with; seed was 12345 and is 1"):
        finetune(settings(data, tmp_path / "run", save_seconds=0.0, seed=1), resume=True)
    checkpoint = tmp_path / "run" / "checkpoints" / "last.pt"
    whole = checkpoint.read_bytes()
    checkpoint.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RunError, match=r"last.pt: the checkpoint is corrupt"):
        finetune(given, resume=True)
    checkpoint.write_bytes(whole)
    write_csv(tmp_path / "other.csv", keyword_rows(30))
    finetune(given, resume=True)


def test_renamed_labels_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"bad": "unhappy", "good": "happy"}  # in alphabetical order now: the other index
    data = write_csv(tmp_path / "t.csv", keyword_rows(60))
    given = settings(data, tmp_path / "run", save_seconds=0.0)
    stop_after(given, 3, resume=False, monkeypatch=monkeypatch)
    write_csv(data, [(text, names[label]) for text, label in keyword_rows(60)])
    with pytest.raises(RunError, match="the labels were bad, good and are happy, unhappy; the labels of the training"):
        finetune(given, resume=True)
    write_csv(data, [(text.replace("film", "movie"), label) for text, label in keyword_rows(60)])
    with pytest.raises(RunError, match="the texts of the training examples changed"):
        finetune(given, resume=True)
    write_csv(data, keyword_rows(60))
    finetune(given, resume=True)


def test_other_scored_rows_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    for split in ("train", "dev", "test"):
        write_csv(folder / f"{split}.csv", keyword_rows(40))
    given = settings(folder, tmp_path / "run", save_seconds=0.0)
    stop_after(given, 3, resume=False, monkeypatch=monkeypatch)
    swapped = {"good": "bad", "bad": "good"}
    write_csv(folder / "test.csv", [(text, swapped[label]) for text, label in keyword_rows(40)])
    with pytest.raises(RunError, match="the labels of the scored examples changed"):
        finetune(given, resume=True)


def test_another_starting_model_is_refused(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tmp_path / "model"
    save_model(Model(tiny_network(seed=1), Tokenizer.official()), model)
    given = settings(data, tmp_path / "run", save_seconds=0.0, model=str(model), freeze_encoder=True)
    stop_after(given, 3, resume=False, monkeypatch=monkeypatch)
    save_model(Model(tiny_network(seed=2), Tokenizer.official()), model)
    with pytest.raises(RunError, match="the weights of the starting model changed"):
        finetune(given, resume=True)


def test_a_missing_best_checkpoint_is_told_before_the_training(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = settings(data, tmp_path / "run", save_seconds=0.0)
    stop_after(given, 8, resume=False, monkeypatch=monkeypatch)  # 6 steps per epoch
    (tmp_path / "run" / "checkpoints" / "best.pt").unlink()
    with pytest.raises(RunError, match=r"best\.pt is missing, which held the weights of the best epoch \(1\)"):
        finetune(given, resume=True)


@pytest.mark.parametrize(
    "changes", [{"best": []}, {"step": float("inf")}, {"step": None}, {"best_epoch": 9}, {"epochs": [3]}, {"logits": 3},
                {"epochs": [{"train": {"loss": "low"}}]}]
)  # fmt: skip
def test_a_checkpoint_that_fits_nothing(
    changes: dict[str, Any], data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = settings(data, tmp_path / "run", save_seconds=0.0)
    stop_after(given, 2, resume=False, monkeypatch=monkeypatch)
    run = RunFolder(tmp_path / "run")
    state = run.load_checkpoint()
    assert state is not None
    run.save_checkpoint({**state, **changes})
    with pytest.raises(RunError, match="the checkpoint does not fit this run") as caught:
        finetune(given, resume=True)
    assert "\n" not in str(caught.value)


def test_a_damaged_report_is_written_again(data: Path, tmp_path: Path) -> None:
    given = settings(data, tmp_path / "run")
    finetune(given)
    before = outcome(tmp_path / "run")
    report = tmp_path / "run" / "report.json"
    report.write_bytes(report.read_bytes()[:100])
    with pytest.raises(RunError, match=r"report\.json: damaged .*; delete it, and --resume writes it again"):
        finetune(given, resume=True)
    report.unlink()
    finetune(given, resume=True)
    assert outcome(tmp_path / "run") == before


def test_a_checkpoint_of_other_data_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write_csv(tmp_path / "t.csv", keyword_rows(60))
    given = settings(data, tmp_path / "run", save_seconds=0.0)
    stop_after(given, 3, resume=False, monkeypatch=monkeypatch)
    write_csv(data, keyword_rows(80))
    with pytest.raises(RunError, match="there were 54 training examples and are 72") as caught:
        finetune(given, resume=True)
    assert "\n" not in str(caught.value)


PROGRAM = """
import json, sys
from albertkit.training.finetune import finetune
from albertkit.training.settings import FinetuneSettings
finetune(FinetuneSettings.from_dict(json.loads(sys.argv[1])), resume=True)
"""


def start(given: FinetuneSettings) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, json.dumps(given.to_dict())],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        stderr=subprocess.PIPE,
    )


def killed_runs(data: Path, folder: Path, *, kills: int, steps: int, seed: int, **changes: Any) -> None:
    """Start the run, kill it at a random number of lines of its log, and so on; compare with an uninterrupted run."""
    random = np.random.RandomState(seed)
    changes = {"save_seconds": 0.2, "steps": steps, "epochs": None, "batch_size": 8, **changes}
    finetune(settings(data, folder / "alone", **changes))
    given = settings(data, folder / "killed", **changes)
    log, done = folder / "killed" / "metrics.jsonl", 0
    for _ in range(kills):
        target = done + int(random.randint(5, max(6, steps * 4 // 5 // kills)))
        process = start(given)
        while process.poll() is None and (not log.is_file() or log.read_bytes().count(b"\n") < target):
            time.sleep(0.002)
        assert process.poll() is None, (process.communicate()[1].decode(), "the run ended before it was killed")
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        process.communicate()
        done = log.read_bytes().count(b"\n")
    finetune(given, resume=True)
    assert outcome(folder / "killed") == outcome(folder / "alone")


def test_kill_twice(data: Path, tmp_path: Path) -> None:
    tiny_folder()
    killed_runs(data, tmp_path, kills=2, steps=150, seed=int(time.time()))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["whole", "frozen"])
def test_kill_ten_times(kind: str, data: Path, tmp_path: Path) -> None:
    changes = {key: value for key, value in KINDS[kind].items() if key not in ("epochs", "batch_size")}
    killed_runs(data, tmp_path, kills=10, steps=500, seed=int(time.time()), **changes)
