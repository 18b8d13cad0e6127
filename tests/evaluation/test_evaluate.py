"""What a report of an evaluation says besides its scores."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.tiny import execution, tiny_network

from albertkit.data.examples import TextExample
from albertkit.datasets.dataset import Dataset
from albertkit.evaluation.evaluate import evaluate
from albertkit.inference.predictor import Predictor
from albertkit.models.loaded import Model
from albertkit.models.pretrained import with_task_head
from albertkit.text.tokenizer import Tokenizer

LABELS = ("no", "yes")
ROWS = [TextExample("one", label=0), TextExample("two", label=1), TextExample("three", label=1)]


def classifier(temperature: float | None = None) -> Predictor:
    model = with_task_head(Model(tiny_network(), Tokenizer.official()), task="classification", labels=LABELS)
    assert model.task is not None
    model = replace(model, max_length=64, task=replace(model.task, temperature=temperature))
    return Predictor(model, execution=execution())


def test_what_a_split_has_to_say_stands_in_the_report() -> None:
    data = Dataset("toy", "dev", "classification", LABELS, ("accuracy",), ROWS, warnings=("two rows are doubled",))
    assert "dev: two rows are doubled" in evaluate(classifier(), data).notes


def test_calibration_with_and_without_the_temperature() -> None:
    data = Dataset("toy", "dev", "classification", LABELS, ("accuracy",), ROWS)
    plain, tempered = evaluate(classifier(), data), evaluate(classifier(2.0), data)
    assert (plain.temperature, plain.calibration_before) == (None, None)
    assert tempered.temperature == 2.0
    assert tempered.calibration_before == plain.calibration
    assert tempered.calibration is not None
    assert plain.calibration is not None
    assert tempered.calibration.confidence < plain.calibration.confidence
    assert tempered.metrics == pytest.approx(plain.metrics)
