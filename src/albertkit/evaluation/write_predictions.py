"""Predictions as files in the forms of the benchmarks, which `albertkit score` and the official scripts read.

    questions   predictions.json {id: answer}; null_odds.json {id: log odds of no answer}; nbest_predictions.json
    choices     predictions.json {id: letter}
    tags        predictions.conll: word, true tag, predicted tag; predictions.jsonl where a word cannot be in columns
    texts       predictions.tsv: index (or id) and prediction, as GLUE's server wants them

Rows go by the examples' own ids where each has one, else by their numbers from 0.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from albertkit.datasets.dataset import Dataset
from albertkit.errors import UsageError
from albertkit.io.files import write_json, write_text
from albertkit.tasks.task import Predictions, Task


def write_predictions(
    path: str | os.PathLike[str], predictions: Predictions, *, task: Task, dataset: Dataset
) -> tuple[Path, ...]:
    """Write the predictions for a split; return the files.

    Args:
        path: if it has an ending (.json, .conll, .jsonl, .tsv), a file that gets only the predictions; otherwise a
            folder for all files of the task, created if needed.
        predictions: one per example, as the task gives them.
        task: task of the model.
        dataset: the split, its labels in the model's order.

    Raises:
        UsageError: the file's ending does not fit the task, or a tag cannot be written in a column.
        WriteError: the system refused; an existing file is unchanged.
    """
    target = Path(path)
    require_ending(target, task=task, dataset=dataset)
    files = task.prediction_files(dataset, predictions)
    if _is_folder(target):
        for name, content in files.items():
            _write(target / name, content)
        return tuple(target / name for name in files)
    _write(target, next(iter(files.values())))
    return (target,)


def require_ending(path: str | os.PathLike[str], *, task: Task, dataset: Dataset) -> None:
    """Refuse a file whose ending does not go with the predictions for a split, before these are made.

    Raises:
        UsageError: names the ending that does.
    """
    target = Path(path)
    ending = task.prediction_ending(dataset)
    if not _is_folder(target) and target.suffix.lower() != ending:
        raise UsageError(
            f"{target}: predictions for these {dataset.task} data go into a {ending} file, or into a folder"
        )


def _is_folder(target: Path) -> bool:
    return target.is_dir() or not target.suffix


def _write(path: Path, content: Any) -> None:
    if isinstance(content, str):
        write_text(path, content)
    else:
        write_json(path, content)
