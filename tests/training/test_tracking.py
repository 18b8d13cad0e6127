"""Trackers get what metrics.jsonl and report.json hold; what fails in a store stops no training."""

from __future__ import annotations

import json
import struct
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.tiny import keyword_rows, settings, write_csv

from albertkit.errors import UsageError
from albertkit.io.files import WriteError
from albertkit.training.finetune import finetune
from albertkit.training.trackers import TRACKERS, TrackedRun
from albertkit.training.trackers.mlflow_store import without_password
from albertkit.training.tracking import Tracking


class Heard:
    """A progress that keeps its sentences."""

    def __init__(self) -> None:
        self.sentences: list[str] = []

    def report(self, sentence: str, *, kind: str = "info") -> None:
        self.sentences.append(f"{kind}: {sentence}")


class Toy:
    """A tracker in memory that fails where it is told to."""

    def __init__(self, run: TrackedRun, fails: str = "") -> None:
        self.run, self.fails, self.key, self.place = run, fails, "k1", "in memory"
        self.values: list[tuple[int, dict[str, float]]] = []
        self.closed: bool | None = None
        if fails == "open":
            raise OSError("disk is full\nand more")

    def log(self, values: Mapping[str, float], *, step: int) -> None:
        if self.fails == "log":
            raise RuntimeError("the server left")
        self.values.append((step, dict(values)))

    def finish(self, values: Mapping[str, float], files: Sequence[Path]) -> None:
        self.values.append((-1, dict(values)))
        self.files = [file.name for file in files]

    def close(self, *, failed: bool) -> None:
        self.closed = failed


def toys(monkeypatch: pytest.MonkeyPatch, fails: str = "") -> list[Toy]:
    """Put a toy in place of tensorboard; return those that are opened."""
    opened: list[Toy] = []

    def tracker() -> Any:
        def open_run(run: TrackedRun) -> Toy:
            opened.append(Toy(run, fails))
            return opened[-1]

        return open_run

    monkeypatch.setitem(TRACKERS._resolved, "tensorboard", tracker)
    return opened


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_csv(tmp_path_factory.mktemp("tracked") / "keywords.csv", keyword_rows(40))


def quick(table: Path, out: Path, *names: str) -> Any:
    return settings(table, out, epochs=2, track=names)


def test_a_run_sends_every_event_and_its_report(table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = toys(monkeypatch)
    report = finetune(quick(table, tmp_path / "run", "tensorboard"))
    (toy,) = opened
    events = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [step for step, _ in toy.values[:-1]] == [event["step"] for event in events]
    losses = [values["step/loss"] for _, values in toy.values if "step/loss" in values]
    assert losses == [event["loss"] for event in events if event["event"] == "step"]
    epochs = [values["epoch/validation/accuracy"] for _, values in toy.values if "epoch/train/loss" in values]
    assert epochs == [epoch["validation"]["accuracy"] for epoch in report.epochs]
    assert toy.values[-1] == (-1, {f"report/{name}": value for name, value in report.metrics.items()})
    assert "report.json" in toy.files
    assert toy.closed is False
    assert toy.run.settings["epochs"] == 2
    assert json.loads((tmp_path / "run" / "tracking.json").read_text()) == {"tensorboard": "k1"}


def test_a_store_that_fails_on_the_way_is_one_warning(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, heard = toys(monkeypatch, fails="log"), Heard()
    with Tracking(["tensorboard"], heard) as tracking:  # type: ignore[arg-type]
        tracking.begin(tmp_path, {}, step=0)
        tracking.log({"event": "step", "step": 1, "loss": 1.0})
        tracking.log({"event": "step", "step": 2, "loss": 1.0})
    assert [sentence for sentence in heard.sentences if sentence.startswith("warning")] == [
        "warning: --track tensorboard failed and tracks no longer (the server left); metrics.jsonl and report.json "
        "have everything"
    ]
    assert finetune(quick(table, tmp_path / "run", "tensorboard")).metrics
    assert len(opened) == 2


def test_a_store_that_cannot_be_opened_ends_the_run_before_it_begins(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toys(monkeypatch, fails="open")
    with pytest.raises(WriteError, match=r"--track tensorboard: the store cannot be used \(disk is full\); correct"):
        finetune(quick(table, tmp_path / "run", "tensorboard"))
    assert not (tmp_path / "run").exists()


def test_a_run_that_failed_says_so_and_continues_under_its_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = toys(monkeypatch)
    with suppress(KeyboardInterrupt), Tracking(["tensorboard"]) as tracking:
        tracking.begin(tmp_path, {}, step=0)
        tracking.keep(tmp_path)
        raise KeyboardInterrupt
    with Tracking(["tensorboard"]) as tracking:
        tracking.begin(tmp_path, {}, step=7)
    assert [(toy.run.key, toy.run.step, toy.closed) for toy in opened] == [(None, 0, True), ("k1", 7, False)]


def test_an_unknown_tracker_is_refused(table: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match='track is "mlfow"; it must be mlflow, wandb, tensorboard'):
        quick(table, tmp_path / "run", "mlfow")


def test_a_password_is_not_shown() -> None:
    assert without_password("mysql://u:p@h:1/db") == "mysql://h:1/db"
    assert without_password("sqlite:///a/b.db") == "sqlite:///a/b.db"


@pytest.fixture
def mlflow() -> Iterator[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own imports, and its pool of connections
        yield pytest.importorskip("mlflow")


def test_mlflow_keeps_a_run_in_sqlite_and_continues_it(
    mlflow: Any, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # MLflow makes some fifty tables, which takes seconds, so one test looks at everything.
    address = f"sqlite:///{tmp_path / 'ml.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    monkeypatch.chdir(tmp_path)  # artifacts go to ./mlruns
    out = tmp_path / "run"
    with suppress(KeyboardInterrupt), Tracking(["mlflow"]) as tracking:
        tracking.begin(out, {"model": "m", "limit": None}, step=0)
        out.mkdir()
        tracking.keep(out)
        tracking.log({"event": "step", "step": 1, "loss": 2.5})
        raise KeyboardInterrupt
    client = mlflow.MlflowClient(address)
    key = json.loads((out / "tracking.json").read_text())["mlflow"]
    assert client.get_run(key).info.status == "FAILED"
    with Tracking(["mlflow"]) as tracking:
        tracking.begin(out, {"model": "m"}, step=1)
        tracking.log({"event": "step", "step": 2, "loss": 1.5})
    assert [(point.step, point.value) for point in client.get_metric_history(key, "step/loss")] == [(1, 2.5), (2, 1.5)]
    assert client.get_run(key).data.params == {"model": "m"}
    assert client.get_run(key).info.status == "FINISHED"

    report = finetune(quick(table, tmp_path / "whole", "mlflow"))
    (experiment,) = [found for found in client.search_experiments() if found.name == "albertkit"]
    (run,) = client.search_runs([experiment.experiment_id], filter_string="attributes.run_name = 'whole'")
    assert run.data.metrics["report/accuracy"] == report.metrics["accuracy"]
    assert run.data.params["epochs"] == "2"
    assert "report.json" in [file.path for file in client.list_artifacts(run.info.run_id)]


@pytest.mark.usefixtures("mlflow")
def test_mlflow_without_a_place_to_write(table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'no' / 'ml.db'}")
    with pytest.raises(WriteError, match=r"--track mlflow: the store cannot be used .*No such file or directory"):
        finetune(quick(table, tmp_path / "run", "mlflow"))


def test_wandb_offline_keeps_every_step_in_its_file(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wandb = pytest.importorskip("wandb")
        monkeypatch.setenv("WANDB_MODE", "offline")
        report = finetune(quick(table, tmp_path / "run", "wandb"))
        wandb.teardown()  # its own process writes the file
        (file,) = (tmp_path / "run" / "wandb").glob("offline-run-*/*.wandb")
        steps, summary = _scanned(file)
    events = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [step["step/loss"] for step in steps if "step/loss" in step] == [
        event["loss"] for event in events if event["event"] == "step"
    ]
    assert summary["report/accuracy"] == report.metrics["accuracy"]


def _scanned(file: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the steps and the summary of W&B's own file: W&B's records in LevelDB's log format."""
    from wandb.proto import wandb_internal_pb2

    content, steps, summary = file.read_bytes(), [], {}
    data, at = b"", 7  # after the file's own header
    while at + 7 <= len(content):
        if 2**15 - at % 2**15 < 7:  # no header fits into the rest of the block
            at += 2**15 - at % 2**15
        _, length, kind_of_part = struct.unpack_from("<IHB", content, at)
        data, at = data + content[at + 7 : at + 7 + length], at + 7 + length
        if kind_of_part not in (1, 4):  # the first or a middle part
            continue
        record, data = wandb_internal_pb2.Record.FromString(data), b""
        for kind, kept in (("history", record.history.item), ("summary", record.summary.update)):
            values = {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in kept}
            if kind == "history" and values:
                steps.append(values)
            summary |= values if kind == "summary" else {}
    return steps, summary


def test_wandb_without_a_place_to_write(table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    (tmp_path / "file").touch()
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path / "file"))
    with pytest.raises(WriteError, match=r"--track wandb: the store cannot be used .*File exists"):
        finetune(quick(table, tmp_path / "run", "wandb"))
