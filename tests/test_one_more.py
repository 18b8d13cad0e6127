"""CONTRIBUTING's table "One more ..." is true: each row is done with a toy, one file and one line of a registry."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.checkpoints.folders import made
from tests.cli.running import Runner
from tests.serving.asking import tiny_model
from tests.tiny import execution

from albertkit.batching.batch import Batch
from albertkit.checkpoints import FORMATS, read_checkpoint
from albertkit.cli import COMMANDS
from albertkit.data.examples import TextExample
from albertkit.datasets import DATASETS, load_dataset
from albertkit.datasets.dataset import Dataset
from albertkit.evaluation.evaluate import evaluate
from albertkit.inference.exported import RUNTIMES
from albertkit.inference.predictor import Predictor
from albertkit.io.file_digests import sha256_of
from albertkit.models.pretrained import save_model
from albertkit.scoring.metrics import METRICS
from albertkit.text.tokenizer import Tokenizer

CONTRIBUTING = Path(__file__).resolve().parents[1] / "CONTRIBUTING.md"
TESTS = {
    "task or head": "tests.tasks.test_one_more_task:test_a_toy_from_training_to_the_server",
    "data set": "tests.test_one_more:test_a_data_set",
    "checkpoint format": "tests.test_one_more:test_a_checkpoint_format",
    "metric": "tests.test_one_more:test_a_metric",
    "runtime": "tests.test_one_more:test_a_runtime",
    "tracker": "tests.training.test_tracking:test_a_run_sends_every_event_and_its_report",
    "command": "tests.test_one_more:test_a_command",
    "page of the documentation": "tests.docs.test_site:test_the_navigation_names_every_page_once",
    "something in your own package": "tests.test_registry:test_an_entry_point_adds_a_name_and_cannot_replace_ours",
}
"""First cell of a row -> the test that does it."""


def test_every_row_has_a_test() -> None:
    table = CONTRIBUTING.read_text(encoding="utf-8").partition("## One more ...")[2]
    rows = [line.split("|")[1].strip() for line in table.splitlines() if line.startswith("| ")]
    assert rows[1:] == list(TESTS)
    for place in TESTS.values():
        module, _, name = place.partition(":")
        assert callable(getattr(importlib.import_module(module), name))


def test_a_data_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(DATASETS._table, "lines", "tests.toys:open_lines")
    (tmp_path / "train.txt").write_text("no dull\nyes a fine film\nyes warm\n")
    data = load_dataset("lines", data_dir=tmp_path)
    batch = Batch.pack(Tokenizer.official().sequences([example.text for example in data], max_length=16))
    assert ([example.label for example in data], len(batch)) == ([0, 1, 1], 3)


def test_a_checkpoint_format(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(FORMATS._table, "toy", "tests.toys:TOY_FORMAT")
    FORMATS["toy"].write(made("mlm", "sop"), tmp_path)
    found, wanted = read_checkpoint(tmp_path), made("mlm", "sop")
    assert (found.source_format, found.config) == ("toy", wanted.config)
    assert all(torch.equal(found.state[name], tensor) for name, tensor in wanted.state.items())


def test_a_metric(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METRICS._table, "halved_accuracy", "tests.toys:halved_accuracy")
    predictor = Predictor(tiny_model("classification"), execution=execution())
    labels = predictor.labels[:2]
    predictor = predictor.replace_head(labels=labels)
    rows = load_dataset("polarity", split="dev").examples[:20]
    report = evaluate(predictor, Dataset("toy", "dev", "classification", labels, ("accuracy", "halved_accuracy"), rows))
    assert report.metrics["halved_accuracy"] == pytest.approx((report.metrics["accuracy"] or 0.0) / 2)
    assert "a toy" in report.notes


def test_a_runtime(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(RUNTIMES._table, "toy", "tests.toys:ToyRuntime")
    model, folder, exported = tiny_model("classification"), tmp_path / "model", tmp_path / "exported"
    for target in (folder, exported):
        save_model(model, target)
    network = exported / "network.txt"
    network.write_text(str(folder))
    entry = {"size": network.stat().st_size, "sha256": sha256_of(network)}
    record = {"format_version": 1, "runtime": "toy", "files": {network.name: entry}}
    (exported / "export.json").write_text(json.dumps(record))
    predictors = [Predictor.load(one, execution=execution()) for one in (exported, folder)]
    found, wanted = (predictor.logits([TextExample("a film")]) for predictor in predictors)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_a_command(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(COMMANDS._table, "count", "tests.toys:count")
    run = Runner(capfd, monkeypatch)
    assert "Example: albertkit count" in run("count", "-h").out
    assert run("count", "four", "--json").json == {"characters": 4}
    assert (run("count", "").status, run("count").status) == (2, 2)
