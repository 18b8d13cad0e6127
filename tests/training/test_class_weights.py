"""Class weights are scikit-learn's, and weigh the loss as torch's own losses do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.utils.class_weight import compute_class_weight
from tests.tiny import BAD, FILLER, GOOD, settings, without_pictures, write_csv

from albertkit.data.examples import TextExample
from albertkit.errors import UsageError
from albertkit.tasks import TASKS
from albertkit.tasks.classification.head import example_losses
from albertkit.training.class_weights import class_weights
from albertkit.training.finetune import finetune

LABELS = ("ham", "news", "spam")


def _rows(numbers: list[Any]) -> list[TextExample]:
    return [TextExample("a", label=number) for number in numbers]


def test_balanced_is_scikit_learn_s() -> None:
    numbers = np.random.RandomState(0).choice(3, 101, p=[0.7, 0.2, 0.1])
    found = class_weights("balanced", task=TASKS["classification"], examples=_rows(numbers.tolist()), labels=LABELS)
    assert found is not None
    np.testing.assert_allclose(found, compute_class_weight("balanced", classes=np.arange(3), y=numbers), rtol=1e-6)
    assert found[numbers].mean() == pytest.approx(1, rel=1e-5)
    absent = class_weights("balanced", task=TASKS["classification"], examples=_rows([0, 0, 2]), labels=LABELS)
    assert absent is not None
    assert absent.tolist() == [0.75, 1.0, 1.5]


def test_balanced_labels_of_a_text_are_scikit_learn_s_of_each_column() -> None:
    marks = np.random.RandomState(1).rand(53, 3) < [0.1, 0.5, 0.8]
    examples = _rows([tuple(np.flatnonzero(row).tolist()) for row in marks])
    found = class_weights("balanced", task=TASKS["multilabel"], examples=examples, labels=LABELS)
    assert found is not None
    for label in range(3):
        peer = compute_class_weight("balanced", classes=np.array([False, True]), y=marks[:, label])
        np.testing.assert_allclose(found[:, label], peer, rtol=1e-6)


def test_the_weighted_loss_is_torch_s_up_to_the_sum_of_the_weights() -> None:
    torch.manual_seed(0)
    logits, targets = torch.randn(11, 3), torch.randint(0, 3, (11,))
    weights = torch.tensor([0.5, 1.0, 4.0])
    found = example_losses("classification", logits, targets, weights=weights)
    torch.testing.assert_close(found.sum(), F.cross_entropy(logits, targets, weight=weights, reduction="sum"))
    mean = found.sum() / weights[targets].sum()
    torch.testing.assert_close(mean, F.cross_entropy(logits, targets, weight=weights))


def test_named_weights_of_several_labels_are_torch_s_positive_weights() -> None:
    torch.manual_seed(0)
    logits, targets = torch.randn(11, 3), torch.randint(0, 2, (11, 3)).float()
    weights = class_weights({"spam": 4.0}, task=TASKS["multilabel"], examples=_rows([]), labels=LABELS)
    assert weights is not None
    found = example_losses("multilabel", logits, targets, weights=torch.from_numpy(weights))
    peer = F.binary_cross_entropy_with_logits(logits, targets, pos_weight=torch.tensor([1.0, 1.0, 4.0]))
    torch.testing.assert_close(found.mean(), peer)


@pytest.mark.parametrize(
    ("asked", "task", "words"),
    [
        ({"spam": 2.0, "hma": 1.0}, "classification", r'"hma", but the labels are: ham, news, spam; did you mean "ham'),
        ("balanced", "regression", "is for classification and multilabel; leave it out for regression"),
        ({"a": 1.0}, "question_answering", r"leave it out for question_answering"),
    ],
)  # fmt: skip
def test_refusals(asked: str | Mapping[str, float], task: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        class_weights(asked, task=TASKS[task], examples=_rows([0]), labels=LABELS)


@pytest.mark.learning
def test_a_rare_class_is_found_more_often_with_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_pictures(monkeypatch)
    random = np.random.RandomState(0)
    rows = []
    for number in range(600):  # 1 of 10 is bad and a keyword is right in 7 of 10 cases: after a bad one, 1 of 5 is bad
        bad = number % 10 == 0
        words = [str(random.choice(FILLER)), str(random.choice(BAD if bad == (random.rand() < 0.7) else GOOD))]
        rows.append((" ".join(words), "bad" if bad else "good"))
    data = write_csv(tmp_path / "t.csv", rows)
    found = {}
    for asked in (None, "balanced"):
        given = settings(
            data, tmp_path / str(asked), epochs=16, learning_rate=3e-3, validation=0.3, class_weights=asked,
            pooling="mean",
        )  # fmt: skip
        report = finetune(given)
        assert report.confusion is not None
        found[asked] = sum(row[0] for row in report.confusion.matrix)  # how often it says "bad"
    assert found["balanced"] > found[None] + 5
    assert json.loads((tmp_path / "balanced" / "config.json").read_text())["class_weights"] == "balanced"
    assert any("class weights in the loss: bad " in note for note in report.notes)
