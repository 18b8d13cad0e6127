"""Score a model's logits on a split, and a whole model on a data set."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from albertkit.data.examples import TextExample, TokenExample
from albertkit.datasets.dataset import WHOLE, Dataset, DataSource, require_labelled
from albertkit.errors import DataError, UsageError
from albertkit.evaluation.calibration import Calibration, calibration
from albertkit.evaluation.intervals import Interval, says_nothing
from albertkit.evaluation.metrics import confusion_matrix, score
from albertkit.evaluation.null_threshold import threshold_notes
from albertkit.evaluation.predicted import score_predictions
from albertkit.evaluation.report import Confusion, Report
from albertkit.evaluation.write_predictions import require_ending, write_predictions
from albertkit.inference.predictor import Predictor
from albertkit.inference.running import Progress, run_outputs
from albertkit.tasks.classification import ClassificationTask, unit_logits
from albertkit.tasks.encoded import Encoded
from albertkit.tasks.task import Task
from albertkit.tasks.truncation import Truncation
from albertkit.tasks.window_notes import window_notes


@dataclass(frozen=True)
class Scored:
    """What one split's logits amount to."""

    metrics: dict[str, float]
    """Name -> value on 0-100."""
    confusion: Confusion | None
    calibration: Calibration | None
    """Of the probabilities as the task gives them, with its temperature."""
    notes: tuple[str, ...]
    calibration_before: Calibration | None = None
    """The same without the temperature; None where the task has none."""
    logits: npt.NDArray[np.float32] | None = field(default=None, compare=False, repr=False)
    """Of labels or a number per text, `[n, outputs]`, so that calibration and agreement can be measured."""
    given_tags: Mapping[str, int] = field(default_factory=dict)
    """Of tags, how many words got each."""
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    """Metric -> its 95 % interval, where that is known."""

    @property
    def too_few_examples(self) -> bool:
        """Whether there are so few examples that the main metric, the first one, says nothing."""
        return says_nothing(self.intervals.get(next(iter(self.metrics), "")))


def score_outputs(
    task: Task,
    outputs: Sequence[npt.NDArray[np.float32]],
    *,
    encoded: Encoded,
    examples: Sequence[Any],
    labels: Sequence[str],
    metrics: Sequence[str],
    data: str = "",
) -> Scored:
    """Score what a task's head gave for labelled examples.

    Args:
        task: how to read the outputs.
        outputs: of each sequence, see `Task.predictions`.
        encoded: the examples, tokenised.
        examples: themselves.
        labels: names of the head's outputs.
        metrics: names, the main one first.
        data: name of the data set, which may have a script of its own.

    Raises:
        DataError: no examples.
    """
    if isinstance(task, ClassificationTask):
        targets = task.targets(examples, num_labels=max(len(labels), 1))
        return score_logits(task, unit_logits(outputs, encoded), targets=targets, labels=labels, metrics=metrics)
    predictions = task.predictions(outputs, encoded, examples, labels=labels)
    found = score_predictions(task.data_task, predictions, examples=examples, labels=labels, metrics=metrics, data=data)
    given_tags = Counter(tag for row in predictions for tag in row.get("tags", ()))
    notes = (*threshold_notes(task), *found.notes)
    return Scored(found.metrics, None, None, notes, given_tags=given_tags, intervals=found.intervals)


def score_logits(
    task: ClassificationTask,
    logits: npt.NDArray[np.float32],
    *,
    targets: npt.NDArray[Any],
    labels: Sequence[str],
    metrics: Sequence[str],
) -> Scored:
    """Compute metrics and, for classification, confusion and calibration.

    Args:
        task: how to read the logits.
        logits: `[n, outputs]`.
        targets: what `task.targets` gave for the same examples.
        labels: names of the classes.
        metrics: names, the main one first.

    Raises:
        DataError: no examples.
    """
    predicted = task.predicted(logits)
    num_labels = max(len(labels), 1)
    found = score(metrics, task=task.name, labels_true=targets, outputs=predicted, num_labels=num_labels)
    if task.name != "classification":
        return Scored(found.metrics, None, None, found.notes, logits=logits, intervals=found.intervals)
    matrix = confusion_matrix(targets, outputs=predicted, num_labels=num_labels)
    before = None
    if task.temperature is not None:
        before = calibration(replace(task, temperature=None).probabilities(logits), labels_true=targets)
    return Scored(
        found.metrics,
        Confusion(tuple(labels), tuple(tuple(int(cell) for cell in row) for row in matrix)),
        calibration(task.probabilities(logits), labels_true=targets),
        found.notes,
        calibration_before=before,
        logits=logits,
        intervals=found.intervals,
    )


def aligned_labels(dataset: Dataset, *, labels: Sequence[str], model: str) -> Dataset:
    """Return the split with its label numbers in the model's order.

    Raises:
        DataError: the split has another task, or a label that the model was not trained on.
    """
    if not dataset.labels or tuple(dataset.labels) == tuple(labels):
        return dataset
    unseen = [label for label in dataset.labels if label not in labels]
    if unseen:
        raise DataError(
            f'{dataset.name} {dataset.split}: the label "{unseen[0]}" was not seen in training; '
            f"{model} knows {', '.join(labels)}"
        )
    moved = {index: labels.index(label) for index, label in enumerate(dataset.labels)}

    def move(label: Any) -> Any:
        if label is None:
            return None
        return tuple(sorted(moved[one] for one in label)) if isinstance(label, tuple) else moved[label]

    if dataset.task == "token_classification":
        tagged = [
            replace(example, tags=None if example.tags is None else tuple(moved[tag] for tag in example.tags))
            for example in dataset.of(TokenExample)
        ]
        return replace(dataset, examples=tagged, labels=tuple(labels))
    examples = [replace(example, label=move(example.label)) for example in dataset.of(TextExample)]
    return replace(dataset, examples=examples, labels=tuple(labels))


def evaluate(
    predictor: Predictor,
    dataset: Dataset,
    *,
    predictions: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Report:
    """Score a trained model on a split with the data set's metrics.

    Args:
        predictor: the model.
        dataset: the split, with labels.
        predictions: a file or folder to write the predictions to, in the forms that `albertkit score` reads.
        progress: called with the number of examples just finished.

    Raises:
        UsageError: the model has no task head, or the file of predictions has another ending than they need.
        DataError: a label is missing or was not seen in training, or the tasks differ.
        WriteError: the system refused the predictions.
    """
    started = time.perf_counter()
    task = predictor.model.task
    if task is None:
        raise UsageError(f"{predictor.model.source} has no task head to score: fine-tune it first")
    require_labelled(dataset)
    if dataset.task != task.data_task:
        raise DataError(
            f"{dataset.name} is a {dataset.task} data set, but {predictor.model.source} was trained for {task.name}"
        )
    dataset = aligned_labels(dataset, labels=predictor.labels, model=predictor.model.source)
    if predictions is not None:
        require_ending(predictions, dataset=dataset)
    encoded = predictor.encode(dataset.examples)
    truncated = Truncation.of(encoded, max_length=predictor.model.max_length).note(task)
    outputs = run_outputs(predictor.runtime, encoded.sequences, progress=progress)
    scored = score_outputs(
        task,
        outputs,
        encoded=encoded,
        examples=dataset.examples,
        labels=predictor.labels,
        metrics=dataset.metrics,
        data=dataset.name,
    )
    if predictions is not None:
        rows = task.predictions(outputs, encoded, dataset.examples, labels=predictor.labels)
        write_predictions(predictions, rows, dataset=dataset)
    return Report(
        task=task.name,
        data=dataset.name,
        model=predictor.model.source,
        metrics=scored.metrics,
        intervals=scored.intervals,
        split=dataset.split,
        examples=len(dataset),
        confusion=scored.confusion,
        calibration=scored.calibration,
        calibration_before=scored.calibration_before,
        temperature=getattr(task, "temperature", None),
        skipped={dataset.split: len(dataset.skipped)} if dataset.skipped else {},
        notes=(
            *scored.notes,
            *window_notes(dataset.split, encoded),
            *(() if truncated is None else (f"{dataset.split}: {truncated}",)),
            *(f"{dataset.split}: {note}" for note in dataset.warnings),
        ),
        seconds=time.perf_counter() - started,
    )


def scored_split(source: DataSource, name: str | None) -> Dataset:
    """Return the named split; without a name `test` where it is labelled, else `dev`, else the only split there is.

    The only split of a file is called `all`: nothing is trained on it here.

    Raises:
        UsageError: there is no such split.
    """
    if name in (None, WHOLE) and WHOLE in source.aliases:
        return replace(source.split(WHOLE), split=WHOLE)
    if name is not None:
        return source.split(name)
    for candidate in ("test", "dev"):
        if candidate in source.splits:
            dataset = source.split(candidate)
            if all(example.is_labelled for example in dataset):
                return dataset
    return source.split(source.splits[0])
