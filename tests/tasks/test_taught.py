"""The student's loss against torch's own and against numbers worked out by hand."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from albertkit.tasks.classification.exits import ExitObjective
from albertkit.tasks.classification.head import ClassificationObjective, example_losses
from albertkit.tasks.classification.taught import Lesson

LABELS = {
    "classification": np.array([2, 0]),
    "multilabel": np.array([[1, 0, 1], [0, 0, 0]], np.float32),
    "regression": np.array([1.5, -2.0], np.float32),
}


def logits(task: str, *, seed: int) -> torch.Tensor:
    return 2 * torch.randn(3, 1 if task == "regression" else 3, generator=torch.Generator().manual_seed(seed))


def test_two_labels_by_hand() -> None:
    # The teacher says 0.8 and 0.2 at temperature 2, the student one half each.
    answers = 2 * torch.tensor([[math.log(0.8), math.log(0.2)]])
    expected = 4 * (0.8 * math.log(0.8 / 0.5) + 0.2 * math.log(0.2 / 0.5))
    lesson = Lesson("classification", 0.25, temperature=2.0)
    assert lesson.teacher_losses(torch.zeros(1, 2), answers).item() == pytest.approx(expected, rel=1e-5)
    targets = torch.from_numpy(lesson.targets(np.array([1]), answers.numpy()))
    mixed = lesson.losses(torch.zeros(1, 2), targets, of_labels=partial(example_losses, "classification"))
    assert mixed.item() == pytest.approx(0.75 * math.log(2) + 0.25 * expected, rel=1e-5)


def test_several_labels_by_hand() -> None:
    # 0.9 and 0.5 of the teacher, 0.5 and 0.5 of the student: the second label adds nothing.
    answers = torch.tensor([[math.log(9.0), 0.0]])
    expected = (0.9 * math.log(0.9 / 0.5) + 0.1 * math.log(0.1 / 0.5)) / 2
    found = Lesson("multilabel", 1.0, temperature=1.0).teacher_losses(torch.zeros(1, 2), answers)
    assert found.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("task", LABELS)
def test_a_text_without_a_label_has_the_teacher_s_part_only(task: str) -> None:
    lesson = Lesson(task, 0.3, temperature=3.0)
    student, answers = logits(task, seed=1), logits(task, seed=2)
    targets = torch.from_numpy(lesson.targets(LABELS[task], answers.numpy()))
    of_labels = partial(example_losses, task)
    found = lesson.losses(student, targets, of_labels=of_labels)
    taught = 0.3 * lesson.teacher_losses(student, answers)
    own = 0.7 * of_labels(student[:2], torch.from_numpy(LABELS[task]))
    torch.testing.assert_close(found, taught + torch.cat([own, torch.zeros(1)]))
    assert lesson.teacher_losses(answers, answers).abs().max() < 1e-6


def test_the_gradient_is_that_of_soft_labels() -> None:
    # Hinton et al. 2015, equation 2: (student - teacher probability) / temperature, here times its square.
    lesson = Lesson("classification", 1.0, temperature=3.0)
    student, answers = logits("classification", seed=1).requires_grad_(), logits("classification", seed=2)
    lesson.teacher_losses(student, answers).sum().backward()
    expected = 3 * ((student / 3).softmax(dim=1) - (answers / 3).softmax(dim=1))
    torch.testing.assert_close(student.grad, expected.detach())


@pytest.mark.parametrize("temperature", [0.05, 1.0, 100.0])
def test_sure_teachers_give_finite_losses(temperature: float) -> None:
    answers = torch.tensor([[90.0, -90.0, 0.0]])
    for task in ("classification", "multilabel"):
        student = (-answers).requires_grad_()
        loss = Lesson(task, 1.0, temperature=temperature).teacher_losses(student, answers)
        loss.sum().backward()
        assert torch.isfinite(loss).all()
        assert student.grad is not None
        assert torch.isfinite(student.grad).all()


def test_the_objective_of_labels_stays_as_it_was() -> None:
    objective = ClassificationObjective("classification", weights=torch.tensor([1.0, 5.0, 1.0]))
    lesson = Lesson("classification", 0.5)
    student, rows = objective.taught(lesson), logits("classification", seed=1)[:2]
    ones, labels = np.ones(2, np.int64), torch.from_numpy(LABELS["classification"])
    given = {"lengths": ones, "counts": ones}
    own = objective.losses_of(rows, targets=labels, **given)
    torch.testing.assert_close(own, F.cross_entropy(rows, labels, weight=objective.weights, reduction="none"))
    targets = torch.from_numpy(lesson.targets(labels.numpy(), rows.numpy()))
    torch.testing.assert_close(student.losses_of(rows, targets=targets, **given), own / 2)


def test_every_exit_learns_from_the_teacher() -> None:
    lesson = Lesson("classification", 1.0, temperature=2.0)
    states = torch.randn(3, 2, 4, generator=torch.Generator().manual_seed(3))
    heads = torch.nn.ModuleList([torch.nn.Linear(4, 3), torch.nn.Linear(4, 3)])
    answers = logits("classification", seed=2)
    ones = np.ones(3, np.int64)
    targets = torch.from_numpy(lesson.targets(np.array([1]), answers.numpy()))
    rows, losses = (
        ExitObjective("classification").taught(lesson).losses(heads, states, lengths=ones, counts=ones, targets=targets)
    )
    parts = [lesson.teacher_losses(head(states[:, layer]), answers) for layer, head in enumerate(heads)]
    torch.testing.assert_close(losses, (parts[0] + 2 * parts[1]) / 3)
    torch.testing.assert_close(rows, heads[1](states[:, 1]))
