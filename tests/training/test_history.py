"""The record of an epoch, and the loss of an answer that ignores the text."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, log_loss

from albertkit.tasks import TASKS
from albertkit.training.history import EpochRecord, constant_loss
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
