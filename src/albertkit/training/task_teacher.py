"""The teacher of a fine-tuning run: a trained model of the same task and labels, and its answers to texts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from albertkit.data.examples import TextExample
from albertkit.errors import CheckpointError, UsageError
from albertkit.hardware.device import Execution
from albertkit.inference.predictor import Predictor
from albertkit.inference.running import run_outputs
from albertkit.io.file_digests import model_digest
from albertkit.models.model_files import model_source
from albertkit.tasks.classification import ClassificationTask
from albertkit.tasks.classification.taught import Lesson
from albertkit.tasks.encoded import unit_logits
from albertkit.tasks.task import Task
from albertkit.training.row_cache import RowCache, Text
from albertkit.training.settings import FinetuneSettings

FloatArray = npt.NDArray[np.float32]
WEIGHT = 0.5
"""Of the teacher's loss, where the user gives none."""
TEMPERATURE = 2.0
"""That probabilities are learned at, where the user gives none."""


@dataclass(frozen=True)
class TeacherSettings:
    """Which teacher a run learns from, and how."""

    name: str
    """A run, model folder or exported folder."""
    weight: float
    """Share of the teacher's loss, in (0, 1]."""
    temperature: float | None
    """What the logits are divided by; None in regression, which has no probabilities."""


def teacher_settings(settings: FinetuneSettings, *, task: Task) -> TeacherSettings | None:
    """Return the teacher of a run, with weight and temperature filled in; None where there is none.

    Raises:
        UsageError: the task has no answer that could be learned so, or no probabilities for a temperature.
    """
    if settings.teacher is None:
        return None
    if not isinstance(task, ClassificationTask):
        raise UsageError(f"--teacher is for classification, multilabel and regression; leave it out for {task.name}")
    temperature = settings.temperature
    if task.name == "regression" and temperature is not None:
        raise UsageError("--temperature is for probabilities, which a regression does not have; leave it out")
    if task.name != "regression":
        temperature = temperature or TEMPERATURE
    return TeacherSettings(settings.teacher, settings.teacher_weight or WEIGHT, temperature)


class TaskTeacher:
    """A trained model that is asked once for each text; its answers are kept in the cache.

    Args:
        settings: which model, and how its answers are learned.
        task: task of the student.
        labels: names of the student's outputs.
        data: data of the student, for messages.
        execution: device and precision to run on.

    Raises:
        UsageError: there is no such model, or it has another task or other labels.
        CheckpointError: the files are not a model.
    """

    def __init__(
        self, settings: TeacherSettings, *, task: Task, labels: Sequence[str], data: str, execution: Execution
    ) -> None:
        self.name = name = settings.name
        self.lesson = Lesson(task.name, settings.weight, settings.temperature or 1.0)
        self._execution = execution
        self._predictor: Predictor | None = Predictor.load(name, execution=execution)
        self.task = self._checked_task(task, data=data)
        self._columns = self._checked_labels(tuple(labels), data=data)
        self.digest = model_digest(model_source(name))
        self._cache = RowCache(
            f"{self.digest} logits {self._predictor.execution.precision}",
            width=task.num_outputs(labels),
            dtype=np.float32,
        )

    @property
    def predictor(self) -> Predictor:
        """The model, loaded again after `release`."""
        if self._predictor is None:
            self._predictor = Predictor.load(self.name, execution=self._execution)
        return self._predictor

    def release(self) -> None:
        """Free the model's memory until it is needed."""
        self._predictor = None

    def logits(self, examples: Sequence[TextExample], *, progress: Callable[[int], None]) -> FloatArray:
        """Return the answers to texts or pairs, `[texts, outputs]`, in the order of the student's labels.

        In classification they are those that give the teacher's own probabilities, with its temperature.

        Args:
            examples: at least one.
            progress: called with the number of texts just answered, or found in the cache.

        Raises:
            CheckpointError: an answer is not finite.
            WriteError: the cache cannot be written.
        """
        is_pair = any(example.pair is not None for example in examples)
        texts: list[Text] = [(row.text, row.pair or "") if is_pair else row.text for row in examples]
        found = self._cache.rows(texts, partial(self._computed, progress=progress), progress=progress)
        answers: FloatArray = found[:, self._columns] / np.float32(self.task.temperature or 1.0)
        return answers

    def _computed(self, chunks: Sequence[Sequence[Text]], *, progress: Callable[[int], None]) -> Iterator[FloatArray]:
        for texts in chunks:
            pairs = [(text, None) if isinstance(text, str) else text for text in texts]
            encoded = self.predictor.encode([TextExample(text, pair) for text, pair in pairs])
            told = _ByText(progress, texts=len(texts), sequences=len(encoded.sequences))
            rows = unit_logits(run_outputs(self.predictor.runtime, encoded.sequences, progress=told), encoded)
            wrong = np.flatnonzero(~np.isfinite(rows).all(axis=1))
            if len(wrong):
                raise CheckpointError(
                    f'{self.name}: the answer to "{pairs[wrong[0]][0]:.60}" is not of finite numbers; give another '
                    "teacher"
                )
            yield rows

    def _checked_task(self, task: Task, *, data: str) -> ClassificationTask:
        own = self.predictor.model.task
        if not isinstance(own, ClassificationTask) or own.name != task.name:
            has = "has no task head" if own is None else f"was trained for {own.name}"
            raise UsageError(
                f"--teacher {self.name} {has}, and this run on {data} is for {task.name}; give a model that was "
                f"fine-tuned for {task.name}"
            )
        return own

    def _checked_labels(self, labels: tuple[str, ...], *, data: str) -> list[int]:
        """Return for each of the student's outputs the number of the teacher's."""
        own = self.predictor.labels
        if self.task.name == "regression":
            return [0]
        different = [
            f"{what} {', '.join(names[:8])}{', ..' * (len(names) > 8)}"
            for what, names in (
                ("does not know", [label for label in labels if label not in own]),
                ("also has", [label for label in own if label not in labels]),
            )
            if names
        ]
        if different:
            raise UsageError(
                f"--teacher {self.name} has other labels than {data}: it {' and '.join(different)}; give a teacher "
                f"with exactly the labels {', '.join(labels[:20])}{', ..' * (len(labels) > 20)}"
            )
        return [own.index(label) for label in labels]


class _ByText:
    """Counts texts where a model counts sequences: a long text may be several windows."""

    def __init__(self, report: Callable[[int], None], *, texts: int, sequences: int) -> None:
        self._report, self._texts, self._sequences = report, texts, sequences
        self._done = self._told = 0

    def __call__(self, count: int) -> None:
        self._done += count
        texts = self._texts * self._done // self._sequences
        self._report(texts - self._told)
        self._told = texts
