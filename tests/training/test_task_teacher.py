"""Teachers of a task: labels by name, what is refused, answers that are computed once."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from tests.tiny import execution, tiny_folder
from tests.tiny_task_teacher import random_teacher

from albertkit.data.examples import TextExample
from albertkit.errors import CheckpointError, UsageError
from albertkit.inference.predictor import Predictor
from albertkit.models.pretrained import load_model, save_model
from albertkit.tasks import TASKS
from albertkit.tasks.classification import ClassificationTask
from albertkit.training.settings import FinetuneSettings
from albertkit.training.task_teacher import TaskTeacher, TeacherSettings, teacher_settings

ROWS = [TextExample("a splendid film"), TextExample("the plot was boring"), TextExample("very very clumsy scene")]


def teacher(
    folder: Path | str, *, task: str = "classification", labels: Sequence[str] = ("bad", "good")
) -> TaskTeacher:
    given = TeacherSettings(str(folder), 0.5, None if task == "regression" else 2.0)
    return TaskTeacher(given, task=TASKS[task], labels=labels, data="own.csv", execution=execution())


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALBERTKIT_CACHE", str(tmp_path / "cache"))


def probabilities(found: Any, rows: Sequence[str]) -> list[float]:
    return [found["probabilities"][name] for name in rows]


def test_answers_follow_the_student_s_order_of_labels(tmp_path: Path) -> None:
    folder = random_teacher(tmp_path / "t", labels=("good", "so so", "bad"))
    found = teacher(folder, labels=("bad", "good", "so so")).logits(ROWS, progress=lambda _: None)
    told = Predictor.load(folder, execution=execution()).predict([row.text for row in ROWS])
    expected = [probabilities(row, ("bad", "good", "so so")) for row in told]
    np.testing.assert_allclose(torch.from_numpy(found).softmax(dim=1), expected, atol=1e-5)


def test_answers_give_the_teacher_s_own_probabilities_with_its_temperature(tmp_path: Path) -> None:
    model = load_model(random_teacher(tmp_path / "t"))
    assert isinstance(model.task, ClassificationTask)
    save_model(replace(model, task=replace(model.task, temperature=2.5)), tmp_path / "calibrated")
    found = teacher(tmp_path / "calibrated").logits(ROWS, progress=lambda _: None)
    told = Predictor.load(tmp_path / "calibrated", execution=execution()).predict([row.text for row in ROWS])
    expected = [probabilities(row, ("bad", "good")) for row in told]
    np.testing.assert_allclose(torch.from_numpy(found).softmax(dim=1), expected, atol=1e-5)
    plain = teacher(tmp_path / "t").logits(ROWS, progress=lambda _: None)
    np.testing.assert_allclose(found, plain / 2.5, rtol=1e-5)


def test_each_text_is_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = random_teacher(tmp_path / "t")
    counts: list[int] = []
    first = teacher(folder).logits(ROWS, progress=counts.append)
    assert (first.shape, sum(counts)) == ((3, 2), 3)

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("the teacher was asked again")

    moved = Path(shutil.copytree(folder, tmp_path / "moved"))  # the same teacher under another name
    again = teacher(moved)
    with monkeypatch.context() as patch:
        patch.setattr(Predictor, "encode", never)
        np.testing.assert_array_equal(again.logits(ROWS, progress=counts.append), first)
        assert sum(counts) == 6
        with pytest.raises(AssertionError, match="asked again"):
            again.logits(ROWS[:2], progress=counts.append)
    other = teacher(random_teacher(tmp_path / "other", seed=2)).logits(ROWS, progress=counts.append)
    assert not np.allclose(other, first)


def test_pairs_and_windows_and_a_released_model(tmp_path: Path) -> None:
    model = load_model(random_teacher(tmp_path / "t"))
    assert isinstance(model.task, ClassificationTask)
    windows = replace(model, task=replace(model.task, window_stride=2), max_length=6)
    save_model(windows, tmp_path / "windows")
    found = teacher(tmp_path / "windows")
    found.release()
    counts: list[int] = []
    rows = [TextExample("the plot was very very clumsy in three of two scenes", "a film"), TextExample("a", None)]
    answers = found.logits(rows, progress=counts.append)
    assert sum(counts) == 2  # texts, where the model counts windows
    expected = Predictor(load_model(tmp_path / "windows"), execution=execution()).logits(rows)
    np.testing.assert_allclose(answers, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("task", "labels", "words"),
    [
        ("classification", ("bad", "fair", "good"), "other labels than own.csv: it does not know fair; give a teacher "
         "with exactly the labels bad, fair, good"),
        ("classification", ("bad",), "it also has good;"),
        ("classification", ("bad", "Good"), "it does not know Good and also has good;"),
        ("multilabel", ("bad", "good"), "was trained for classification, and this run on own.csv is for multilabel"),
        ("regression", (), "was trained for classification, and this run on own.csv is for regression; give a model"),
    ],
)  # fmt: skip
def test_teachers_of_another_task_or_other_labels_are_refused(
    task: str, labels: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    folder = random_teacher(tmp_path / "t")
    with pytest.raises(UsageError, match=words) as caught:
        teacher(folder, task=task, labels=labels)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_models_without_a_head_and_names_that_are_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no task head, and this run on"):
        teacher(tiny_folder())
    with pytest.raises(UsageError, match="not a path, and not listed by `albertkit models`"):
        teacher(tmp_path / "nothing")


def test_answers_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    folder = random_teacher(tmp_path / "t")
    weights = safetensors.torch.load_file(folder / "model.safetensors")
    weights["classifier.bias"][:] = 3e38
    weights["classifier.weight"][:] = 3e38  # the sum is too large for fp32
    safetensors.torch.save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(CheckpointError, match='the answer to "a splendid film" is not of finite numbers'):
        teacher(folder).logits(ROWS, progress=lambda _: None)


def test_settings_are_completed_and_checked() -> None:
    given = FinetuneSettings("m", "d", "o", teacher="t")
    assert teacher_settings(given, task=TASKS["multilabel"]) == TeacherSettings("t", 0.5, 2.0)
    warm = teacher_settings(replace(given, temperature=7.0), task=TASKS["classification"])
    assert warm == TeacherSettings("t", 0.5, 7.0)
    number = teacher_settings(replace(given, teacher_weight=1.0), task=TASKS["regression"])
    assert number == TeacherSettings("t", 1.0, None)
    with pytest.raises(UsageError, match="--temperature is for probabilities, which a regression does not have"):
        teacher_settings(replace(given, temperature=2.0), task=TASKS["regression"])
    for name in ("token_classification", "question_answering", "multiple_choice", "similarity"):
        with pytest.raises(UsageError, match=f"leave it out for {name}"):
            teacher_settings(given, task=TASKS[name])
    plain = FinetuneSettings("m", "d", "o")
    assert teacher_settings(plain, task=TASKS["token_classification"]) is None


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"unlabelled": ("a.txt",)}, "unlabelled without a teacher; add --teacher RUN"),
        ({"unlabelled": "a.txt", "temperature": 2.0}, "unlabelled and temperature without a teacher"),
        ({"teacher_weight": 0.5}, "teacher-weight without a teacher"),
        ({"teacher": "t", "temperature": 0.0}, "temperature is 0.0; it must be above 0 and at most 100, such as 2"),
        ({"teacher": "t", "temperature": -1.0}, "temperature is -1.0"),
        ({"teacher": "t", "temperature": float("nan")}, "temperature is nan"),
        ({"teacher": "t", "teacher_weight": 0.0}, "teacher-weight is 0.0; it must be above 0 and at most 1"),
        ({"teacher": "t", "teacher_weight": 1.5}, "teacher-weight is 1.5"),
    ],
)
def test_settings_that_cannot_be(values: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        FinetuneSettings("m", "d", "o", **values)


def test_settings_keep_the_files() -> None:
    given = FinetuneSettings("m", "d", "o", teacher="t", unlabelled="a.txt")
    assert given.unlabelled == ("a.txt",)
    assert FinetuneSettings.from_dict(given.to_dict()) == given
    assert given.to_dict()["unlabelled"] == ["a.txt"]
