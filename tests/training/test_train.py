"""Training on examples in memory: no files, the best epoch where rows are held out, the last one elsewhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.tiny import keyword_folder, keyword_rows, settings

from albertkit.data.examples import TextExample
from albertkit.datasets.dataset import Dataset
from albertkit.models.pretrained import load_model
from albertkit.training.resolved import resolve
from albertkit.training.splits import Splits
from albertkit.training.train import Trained, train


def rows(count: int, *, seed: int = 3) -> Dataset:
    examples = [TextExample(text, label=int(label == "good")) for text, label in keyword_rows(count, seed=seed)]
    return Dataset("rows", "train", "classification", ("bad", "good"), ("accuracy",), examples)


def trained(splits: Splits, **changes: Any) -> Trained:
    model = load_model(keyword_folder())
    return train(model, splits, resolve(settings("", Path(), **changes), model, splits.train))


def test_without_held_out_rows_the_last_epoch_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = trained(Splits.in_memory(rows(24)), epochs=3)
    assert [sorted(epoch) for epoch in found.epochs] == [["train"]] * 3
    assert (found.best_epoch, found.scored, found.temperature, found.uncalibrated) == (3, None, None, None)
    assert list(tmp_path.iterdir()) == []


def test_held_out_rows_choose_the_epoch() -> None:
    found = trained(Splits.in_memory(rows(40), rows(20, seed=4).examples), epochs=4, learning_rate=1e-2)
    scores = [(epoch["validation"]["accuracy"], -epoch["validation"]["loss"]) for epoch in found.epochs]
    assert found.best_epoch == 1 + scores.index(max(scores))
    assert found.chosen_by == "validation"
    logits = found.predictor.logits(rows(20, seed=4).examples)
    right = (logits.argmax(axis=1) == [row.label for row in rows(20, seed=4)]).mean()
    assert 100 * right == pytest.approx(max(scores)[0])


def test_a_test_split_is_scored() -> None:
    data, test = rows(24), replace(rows(20, seed=4), split="test")
    found = trained(Splits(data, data, test), epochs=1)
    assert found.scored is not None
    assert found.scored.metrics.keys() == {"accuracy"}
