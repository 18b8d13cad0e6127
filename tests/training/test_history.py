"""The record of an epoch, and the sentence on a loss that stands still."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, log_loss

from albertkit.data.examples import TokenExample
from albertkit.datasets.dataset import Dataset
from albertkit.tasks import TASKS
from albertkit.training.history import EpochRecord, constant_loss, one_tag_note, stuck_note
from albertkit.training.loop import Step


def step(indices: list[int], logits: list[list[float]], losses: list[float]) -> Step:
    return Step(
        1,
        0,
        False,
        0.0,
        0.0,
        0.0,
        np.array(indices),
        np.array(logits, np.float32),
        np.array(losses, np.float32),
        0,
        1.0,
    )


def test_scores_are_of_the_examples_seen() -> None:
    record = EpochRecord(4, 2)
    record.add(step([2, 0], [[0, 1], [2, 0]], [0.5, 1.5]))
    record.add(step([3], [[0, 3]], [4.0]))
    targets = np.array([0, 1, 0, 1])
    scores = record.scores(TASKS["classification"], targets, metrics=["accuracy"], num_labels=2)
    assert scores == {"loss": 2.0, "accuracy": pytest.approx(100 * accuracy_score([0, 0, 1], [0, 1, 1]))}
    record.clear()
    record.add(step([1], [[0, 1]], [0.25]))
    assert record.scores(TASKS["classification"], targets, metrics=["accuracy"], num_labels=2)["loss"] == 0.25


def test_the_constant_loss_is_that_of_the_best_constant_answer() -> None:
    targets = np.array([0, 1, 1, 2, 1])
    shares = np.tile(np.bincount(targets) / 5, (5, 1))
    assert constant_loss("classification", targets) == pytest.approx(log_loss(targets, shares), abs=1e-6)
    numbers = np.array([1.0, 4.0, 5.5])
    assert constant_loss("regression", numbers) == pytest.approx(((numbers - numbers.mean()) ** 2).mean())
    marks = np.array([[1, 0], [1, 1], [0, 0]], np.float32)
    constant = torch.from_numpy(np.tile(marks.mean(axis=0), (3, 1)))
    expected = torch.nn.functional.binary_cross_entropy(constant, torch.from_numpy(marks))
    assert constant_loss("multilabel", marks) == pytest.approx(float(expected), abs=1e-6)
    assert constant_loss("classification", np.zeros(5, int)) == 0


def test_a_stuck_run_is_told_and_a_learning_one_is_not() -> None:
    epochs = [{"train": {"loss": 0.70}}, {"train": {"loss": 0.69}}]
    note = stuck_note(epochs, reference=0.6931, learning_rate=3e-4)
    assert note is not None
    assert "stuck at 0.690" in note
    assert "0.0001 or 0.0009" in note
    assert stuck_note([*epochs, {"train": {"loss": 0.5}}], reference=0.6931, learning_rate=3e-4) is None
    assert stuck_note(epochs, reference=0.0, learning_rate=3e-4) is None
    assert stuck_note([], reference=0.6931, learning_rate=3e-4) is None


def test_one_tag_for_every_word_is_told() -> None:
    text, spans = "a " * 23, tuple((2 * at, 2 * at + 1) for at in range(23))
    data = Dataset("toy", "test", "token_classification", ("O", "B-X"), ("f1",), [])
    data = replace(data, examples=[TokenExample(text, spans, (0, 1) + (1,) * 21)])
    note = one_tag_note(data, given={"O": 22, "B-X": 1}, epochs=3, batch_size=32, learning_rate=1e-3)
    assert note is not None
    assert note.startswith('22 of the 23 words of test were given the tag "O", though 22 have another: the network')
    assert "It needs more steps: try --epochs 9 or --batch-size 8; if the training loss no longer falls" in note
    assert note.endswith("try a --learning-rate of 0.0003 or 0.003")
    assert one_tag_note(data, given={"O": 21, "B-X": 2}, epochs=3, batch_size=32, learning_rate=1e-3) is None
    assert one_tag_note(data, given={}, epochs=3, batch_size=32, learning_rate=1e-3) is None
    right = replace(data, examples=[TokenExample("a", ((0, 1),), (0,))])
    assert one_tag_note(right, given={"O": 1}, epochs=3, batch_size=32, learning_rate=1e-3) is None
