"""Score a model on a data set."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from albertkit.data.frames import frame_of
from albertkit.datasets import load_dataset
from albertkit.datasets.dataset import WHOLE, Dataset, DataSource, require_labelled
from albertkit.errors import DataError, UsageError
from albertkit.evaluation.report import Report
from albertkit.evaluation.write_predictions import require_ending, write_predictions
from albertkit.inference.predictor import Predictor
from albertkit.inference.running import Progress, run_outputs
from albertkit.tasks.task import Task
from albertkit.tasks.truncation import Truncation
from albertkit.tasks.window_notes import window_notes


def aligned_labels(dataset: Dataset, *, task: Task, labels: Sequence[str], model: str) -> Dataset:
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
    examples = [task.relabelled(example, moved) for example in dataset.examples]
    return replace(dataset, examples=examples, labels=tuple(labels))


def evaluate(
    predictor: Predictor,
    dataset: Dataset | Any,
    *,
    predictions: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Report:
    """Score a trained model on a split with the data set's metrics.

    Args:
        predictor: the model.
        dataset: the split, with labels; or a table in memory, of which the columns of the run's training are read, or
            those with usual names (`load_dataset` takes others).
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
        name = predictor.model.source
        raise UsageError(f"{name} has no task head; fine-tune it first: albertkit finetune --model {name} --data DATA")
    if not isinstance(dataset, Dataset):
        frame, trained = frame_of(dataset, name="dataset"), predictor.trained_columns
        columns: dict[str, Any] = {}
        if frame is not None and set(trained.values()) <= set(frame.names):
            columns |= trained
        dataset = load_dataset(dataset, task=task.data_task, **columns)
    require_labelled(dataset)
    if dataset.task != task.data_task:
        raise DataError(
            f"{dataset.name} is a {dataset.task} data set, but {predictor.model.source} was trained for {task.name}"
        )
    dataset = aligned_labels(dataset, task=task, labels=predictor.labels, model=predictor.model.source)
    if predictions is not None:
        require_ending(predictions, task=task, dataset=dataset)
    encoded = predictor.encode(dataset.examples)
    truncated = Truncation.of(encoded, max_length=predictor.model.max_length).note(task)
    outputs = run_outputs(predictor.runtime, encoded.sequences, progress=progress)
    scored = task.score_outputs(
        outputs,
        encoded,
        dataset.examples,
        labels=predictor.labels,
        metrics=dataset.metrics,
        data=dataset.name,
    )
    if predictions is not None:
        rows = task.predictions(outputs, encoded, dataset.examples, labels=predictor.labels)
        write_predictions(predictions, rows, task=task, dataset=dataset)
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
