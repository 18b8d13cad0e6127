"""A run fits a temperature on its validation split and keeps it; where it cannot, a note says why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import softmax
from tests.tiny import execution, keyword_rows, settings, tiny_folder, write_csv

import albertkit
from albertkit.errors import CheckpointError
from albertkit.evaluation.report import Report
from albertkit.tasks.classification.temperature import negative_log_likelihood
from albertkit.training.finetune import finetune


@pytest.fixture(scope="module")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One word tells the label, but where it is scored one label in six is wrong: who has learned it is too sure."""
    folder = tmp_path_factory.mktemp("data") / "noisy"
    folder.mkdir()
    for number, (split, count) in enumerate({"train": 200, "dev": 150, "test": 130}.items()):
        rows = keyword_rows(count, seed=number)
        wrong = np.random.RandomState(number).uniform(size=count) < (0 if split == "train" else 1 / 6)
        flipped = {"good": "bad", "bad": "good"}
        rows = [(text, flipped[label] if flip else label) for (text, label), flip in zip(rows, wrong, strict=True)]
        write_csv(folder / f"{split}.csv", rows)
    return folder


@pytest.fixture(scope="module", params=[False, True], ids=["whole", "frozen"])
def run(request: pytest.FixtureRequest, noisy: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Report, Path]:
    out = tmp_path_factory.mktemp("runs") / "noisy"
    changes: dict[str, Any] = {"epochs": 8, "learning_rate": 1e-2}
    if request.param:
        changes = {"epochs": 20, "learning_rate": 5e-2, "freeze_encoder": True, "pooling": "mean"}
    return finetune(settings(noisy, out, model=str(tiny_folder()), **changes)), out


def test_the_temperature_is_the_best_for_the_validation_split(run: tuple[Report, Path], noisy: Path) -> None:
    report, out = run
    task = json.loads((out / "model" / "task.json").read_text())
    assert report.temperature is not None
    assert task["temperature"] == report.temperature
    model = albertkit.load(out, execution=execution())
    dev = albertkit.load_dataset(noisy, split="dev")
    labels = [example.label for example in dev.examples]
    losses = {
        scale: negative_log_likelihood(
            model.logits(list(dev.examples)), labels_true=labels, temperature=scale * report.temperature
        )
        for scale in (0.9, 1.0, 1.1)
    }
    assert min(losses, key=lambda scale: losses[scale]) == 1.0


def test_predictions_use_it_and_logits_do_not(run: tuple[Report, Path], noisy: Path) -> None:
    report, out = run
    model = albertkit.load(out, execution=execution())
    test = albertkit.load_dataset(noisy, split="test")
    logits = model.logits(list(test.examples)).astype(float)
    rows = model.predict([example.text for example in test.examples])
    wanted = softmax(logits / report.temperature, axis=1)
    np.testing.assert_allclose([list(row["probabilities"].values()) for row in rows], wanted, atol=1e-6)
    again = albertkit.evaluate(model, test)
    assert (again.metrics, again.temperature) == (report.metrics, report.temperature)
    for name in ("calibration", "calibration_before"):
        found, kept = getattr(again, name), getattr(report, name)
        assert found.expected_calibration_error == pytest.approx(kept.expected_calibration_error, abs=1e-3), name
    assert report.calibration_before is not None
    assert report.calibration is not None
    assert report.calibration_before.accuracy == report.calibration.accuracy
    assert report.calibration.expected_calibration_error < report.calibration_before.expected_calibration_error
    assert report.calibration_before.confidence == pytest.approx(
        100 * softmax(logits, axis=1).max(axis=1).mean(), abs=0.01
    )
    assert Report.read(out).to_dict() == report.to_dict()


def test_too_few_examples_or_no_split_of_its_own(noisy: Path, tmp_path: Path) -> None:
    few = finetune(settings(noisy, tmp_path / "few", epochs=1, limit=40))
    assert (few.temperature, few.calibration_before) == (None, None)
    assert "the probabilities are not calibrated: calibration needs 100 validation examples, not 40" in few.notes
    same = finetune(settings(noisy, tmp_path / "same", epochs=1, validation_split="dev", test_split="dev"))
    assert same.temperature is None
    assert "the probabilities are not calibrated: calibration needs a separate validation split" in same.notes
    assert "temperature" not in json.loads((tmp_path / "same" / "model" / "task.json").read_text())


def test_a_temperature_that_cannot_be_is_refused(noisy: Path, tmp_path: Path) -> None:
    finetune(settings(noisy, tmp_path / "run", epochs=None, steps=1))
    path = tmp_path / "run" / "model" / "task.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "temperature": 0}))
    with pytest.raises(CheckpointError, match=r"the temperature is 0; it must be above 0"):
        albertkit.load(tmp_path / "run", execution=execution())
