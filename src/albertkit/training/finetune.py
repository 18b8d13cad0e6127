"""Fine-tune on a data set: from settings to a run directory with its model and report."""

from __future__ import annotations

import hashlib
import time
from dataclasses import replace
from typing import Any

from torch import nn

from albertkit.datasets import DATASETS, open_data
from albertkit.datasets.dataset import DataSource
from albertkit.datasets.label_check import data_warnings
from albertkit.datasets.labels import check_labels
from albertkit.evaluation.report import Report
from albertkit.io.locks import locked
from albertkit.io.progress import Progress, Silent
from albertkit.models.loaded import Model
from albertkit.models.pretrained import load_model
from albertkit.tasks import TASKS
from albertkit.tasks.classification import ClassificationTask
from albertkit.text.any_tokenizer import AnyTokenizer
from albertkit.training.checks import check_alone, training_execution
from albertkit.training.class_weights import label_notes
from albertkit.training.digest import content_digest, split_digest
from albertkit.training.few_shot.checks import amount_note
from albertkit.training.finish import finish
from albertkit.training.resolved import Resolved, resolve
from albertkit.training.run import Run
from albertkit.training.run_folder import RunFolder
from albertkit.training.settings import FinetuneSettings
from albertkit.training.splits import Splits, choose_splits
from albertkit.training.tracking import Tracking, Watch
from albertkit.training.train import train


def finetune(
    settings: FinetuneSettings,
    *,
    resume: bool = False,
    progress: Progress | None = None,
    watch: Watch | None = None,
) -> Report:
    """Train, choose the best epoch on the validation split, score, and write the run directory.

    Args:
        settings: what to do; open choices come from the recipe.
        resume: continue a run that was stopped; its weights end as if it had not been.
        progress: gets the progress reports; silent by default.
        watch: sees every event of metrics.jsonl, and may end the training with an exception.

    Raises:
        UsageError, DataError, CheckpointError: the settings, the data or the model cannot be used.
        RunError: the run directory exists, cannot continue, or the loss diverged.
        WriteError: the system refused a file.
    """
    check_alone("finetune")
    progress = progress or Silent()
    with locked(settings.out), Tracking(settings.track, progress, watch=watch) as tracking:
        return _finetune(settings, resume=resume, progress=progress, tracking=tracking)


def _finetune(settings: FinetuneSettings, *, resume: bool, progress: Progress, tracking: Tracking) -> Report:
    started = time.perf_counter()
    execution = training_execution(settings, to="train")
    source, base, splits, resolved = prepare(settings)
    settings, task = resolved.settings, resolved.task
    if isinstance(task, ClassificationTask):
        check_labels(source.labels, where=source.name, task=task.name)
    splits = splits.noting(
        *label_notes(source, weights=resolved.class_weights, task=settings.task),
        *data_warnings(splits.train, None if settings.few_shot else splits.validation, splits.test),
        *amount_note(splits.train, task.name, resolved.settings),
    )
    inputs = _inputs(splits, network=base.network, tokenizer=base.tokenizer)
    teacher = None
    if resolved.teacher is not None:
        from albertkit.training.lessons import seen_by_teacher, teacher_inputs
        from albertkit.training.task_teacher import TaskTeacher
        from albertkit.training.unlabelled import with_unlabelled

        splits = with_unlabelled(splits, resolved.settings)
        teacher = TaskTeacher(resolved.teacher, task=task, labels=source.labels, data=source.name, execution=execution)
        splits = seen_by_teacher(teacher, splits, source)
        inputs |= teacher_inputs(teacher, splits)
    folder = RunFolder.open(settings.out, resolved.settings.to_dict(), resume=resume, inputs=inputs)
    run = Run(execution, folder, progress, started, tracking)
    return finish(train(base, splits, resolved, run, teacher=teacher), resolved, run)


def prepare(settings: FinetuneSettings) -> tuple[DataSource, Model, Splits, Resolved]:
    """Read data and model, and make every choice that the settings leave open.

    Raises:
        UsageError, DataError, CheckpointError: as `finetune`.
    """
    source = _open(settings)
    if not isinstance(settings.data, str):  # the splits' digests tell a resumed run whether the rows are the same
        settings = replace(settings, data=source.name)
    base = load_model(settings.model)
    splits = choose_splits(source, settings)
    return source, base, splits, resolve(settings, base, splits.train)


def _open(settings: FinetuneSettings) -> DataSource:
    # Columns are those of tables: with a known data set, of the unlabelled ones.
    is_known = isinstance(settings.data, str) and settings.data in DATASETS
    has_columns = not is_known or not settings.unlabelled
    return open_data(
        settings.data,
        data_dir=settings.data_dir,
        text_column=settings.text_column if has_columns else None,
        pair_column=settings.pair_column if has_columns else None,
        label_column=settings.label_column,
        task=None if settings.task is None else TASKS[settings.task].data_task,
        labels=settings.labels,
        encoding=settings.encoding if has_columns else None,
        skip_bad_rows=settings.skip_bad_rows,
    )


def _inputs(splits: Splits, *, network: nn.Module, tokenizer: AnyTokenizer) -> dict[str, Any]:
    """Return what the run reads besides its settings, to compare on --resume (`digest.input_changes`)."""
    return {
        "labels": list(splits.train.labels),
        "training examples": split_digest(splits.train),
        "validation examples": split_digest(splits.validation),
        "scored examples": split_digest(splits.test),
        "weights of the starting model": content_digest(network.state_dict()),
        "tokenizer": hashlib.sha256(
            f"{tokenizer.mode} {tokenizer.keep_accents}\n".encode() + tokenizer.model
        ).hexdigest(),
    }
