"""Lessons: what a teacher says of the texts of a run, and how its student compares in the end."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from albertkit.data.examples import TextExample
from albertkit.datasets.dataset import DataSource
from albertkit.errors import AlbertkitError
from albertkit.evaluation.speed import texts_per_second
from albertkit.evaluation.teacher_report import Cost, TeacherReport
from albertkit.inference.predictor import Predictor
from albertkit.io.file_digests import model_files
from albertkit.io.progress import Progress, counted
from albertkit.models.model_files import model_source
from albertkit.scoring.score import Score
from albertkit.tasks.classification import ClassificationTask
from albertkit.tasks.classification.head import ClassificationObjective
from albertkit.tasks.classification.taught import Lesson
from albertkit.tasks.encoded import UnitTargets
from albertkit.tasks.objective import Objective
from albertkit.training.digest import examples_digests
from albertkit.training.run_data import is_trained_on, run_settings
from albertkit.training.splits import Splits, choose_splits
from albertkit.training.task_teacher import TaskTeacher
from albertkit.training.unlabelled import text_key

FloatArray = npt.NDArray[np.float32]


def teacher_inputs(teacher: TaskTeacher, splits: Splits) -> dict[str, Any]:
    """Return what a student reads besides labelled data, to compare on --resume (`digest.input_changes`)."""
    inputs: dict[str, Any] = {"teacher": teacher.digest}
    if splits.unlabelled is not None:
        texts = examples_digests(splits.unlabelled)["texts"]
        inputs["unlabelled texts"] = {"number": len(splits.unlabelled), "texts": texts}
    return inputs


def seen_by_teacher(teacher: TaskTeacher, splits: Splits, source: DataSource) -> Splits:
    """Return the splits with a note where the teacher, a run on the same data, was trained on texts that are scored."""
    try:
        settings = run_settings(teacher.name)
        if not is_trained_on(settings, source):
            return splits
        trained = {text_key(example) for example in choose_splits(source, settings).train.of(TextExample)}
    except AlbertkitError:  # no run, or one whose data have changed since
        return splits
    seen = sum(text_key(example) in trained for example in splits.test.of(TextExample))
    if not seen or splits.test is splits.train:
        return splits
    return splits.noting(
        f"the teacher was trained on {seen:,} of the {len(splits.test):,} scored texts, so its score is too high; "
        "train it with the same --test and --seed"
    )


@dataclass(frozen=True)
class Lessons:
    """A teacher's answers."""

    teacher: TaskTeacher
    lesson: Lesson
    """How they are learned."""
    answers: FloatArray
    """To the training texts, those with labels first, `[texts, outputs]`."""
    scored: FloatArray
    """To the texts of the test split, `[texts, outputs]`."""

    @classmethod
    def of(cls, teacher: TaskTeacher, splits: Splits, progress: Progress) -> Lessons:
        """Ask the teacher, once for each text.

        Args:
            teacher: see `TaskTeacher`.
            splits: the splits to train on and to score.
            progress: gets the progress reports.

        Raises:
            CheckpointError, WriteError: see `TaskTeacher.logits`.
        """
        train = [data for data in (splits.train, splits.unlabelled) if data is not None]
        parts = [data.of(TextExample) for data in (*train, splits.test)]
        with progress.bar("the teacher's answers", total=sum(map(len, parts))) as advance:
            answers = [teacher.logits(part, progress=counted(advance)) for part in parts]
        teacher.release()  # the training needs the memory more
        return cls(teacher, teacher.lesson, np.concatenate(answers[:-1]), answers[-1])

    def objective(self, objective: Objective) -> Objective:
        """Return the objective of the student; `objective` is that of the labels."""
        assert isinstance(objective, ClassificationObjective)
        return objective.taught(self.lesson)

    def targets(self, labels: UnitTargets) -> FloatArray:
        """Return what the student's loss compares with, for each training text.

        Args:
            labels: the task's targets of the texts with labels.
        """
        assert not isinstance(labels, list)
        return self.lesson.targets(labels, self.answers)

    def constant_loss(self, labels: npt.NDArray[Any], *, weights: FloatArray | None) -> float:
        """Return the student's loss with the best answer that ignores the text; see `history.constant_loss`."""
        of_labels = None if weights is None else torch.from_numpy(weights)
        objective = ClassificationObjective(self.lesson.task, weights=of_labels).taught(self.lesson)
        targets = torch.from_numpy(self.targets(labels))
        ones = np.ones(len(targets), np.int64)
        logits = torch.from_numpy(self.answers.mean(axis=0)).requires_grad_()
        optimizer = torch.optim.LBFGS([logits], max_iter=100, line_search_fn="strong_wolfe")

        def loss() -> torch.Tensor:  # torch leaves backward and step untyped
            optimizer.zero_grad()
            rows = logits.expand(len(targets), -1)
            mean = objective.losses_of(rows, lengths=ones, counts=ones, targets=targets).mean()
            mean.backward()  # type: ignore[no-untyped-call]
            return mean

        optimizer.step(loss)  # type: ignore[no-untyped-call]
        return float(loss().detach())

    def report(self, student: Predictor, scored: Score, splits: Splits, *, folder: Path) -> TeacherReport:
        """Return the teacher's scores on the test split, and what both take; both are timed here.

        Args:
            student: with its best weights.
            scored: what it scored.
            splits: splits of the run.
            folder: where the student was saved.
        """
        task = student.model.task
        assert isinstance(task, ClassificationTask)
        assert scored.logits is not None
        targets = task.targets(splits.test.of(TextExample), num_labels=len(student.labels))
        metrics = tuple(scored.metrics)
        own = self.teacher.task.score_logits(self.scored, targets=targets, labels=student.labels, metrics=metrics)
        speeds = texts_per_second([self.teacher.predictor, student], splits.test.of(TextExample))
        return TeacherReport(
            model=self.teacher.name,
            metrics=own.metrics,
            agreement=_agreement(task, scored.logits, self.scored),
            cost=_cost(self.teacher.predictor, self.teacher.name, speed=speeds[0]),
            student=_cost(student, folder, speed=speeds[1]),
            weight=self.lesson.weight,
            temperature=None if task.name == "regression" else self.lesson.temperature,
            labelled=len(splits.train),
            unlabelled=0 if splits.unlabelled is None else len(splits.unlabelled),
        )


def _agreement(task: ClassificationTask, student: FloatArray, teacher: FloatArray) -> float | None:
    if task.name == "regression":
        return None
    one, other = (task.predicted(logits).reshape(len(logits), -1) for logits in (student, teacher))
    return round(100 * float((one == other).all(axis=1).mean()), 2)


def _cost(predictor: Predictor, folder: str | os.PathLike[str], *, speed: float) -> Cost:
    size = sum(path.stat().st_size for path in model_files(model_source(folder)))
    network = getattr(predictor.runtime, "network", None)  # an exported model has none
    return Cost(
        parameters=None if network is None else sum(each.numel() for each in network.parameters()),
        megabytes=round(size / 1e6, 3),
        texts_per_second=round(speed, 1),
    )
