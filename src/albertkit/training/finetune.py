"""Fine-tune on a data set: from settings to a run directory with its model and report."""

from __future__ import annotations

import hashlib
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

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
from albertkit.training.agreement import check_agreement
from albertkit.training.checks import check_together, training_execution
from albertkit.training.class_weights import label_notes
from albertkit.training.digest import content_digest, split_digest
from albertkit.training.few_shot.checks import amount_note
from albertkit.training.finish import finish
from albertkit.training.processes import Processes, join_processes, on_own_device
from albertkit.training.resolved import Resolved, resolve
from albertkit.training.run import Run
from albertkit.training.run_folder import RunFolder, one_writer
from albertkit.training.settings import FinetuneSettings
from albertkit.training.shares import Shares
from albertkit.training.splits import Splits, choose_splits
from albertkit.training.tracking import Tracking, Watch
from albertkit.training.train import train

if TYPE_CHECKING:  # few runs have a teacher
    from albertkit.training.task_teacher import TaskTeacher


def finetune(
    settings: FinetuneSettings,
    *,
    resume: bool = False,
    progress: Progress | None = None,
    watch: Watch | None = None,
) -> Report:
    """Train, choose the best epoch on the validation split, score, and write the run directory.

    Under torchrun all processes call this with the same settings; the first writes and reports.

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
    with join_processes() as processes, ExitStack() as held:
        with processes.together("preparation"):
            if processes.is_main:  # the others write nothing
                held.enter_context(locked(settings.out))
            own = progress or Silent() if processes.is_main else Silent()
            tracking = held.enter_context(Tracking(settings.track if processes.is_main else (), own, watch=watch))
            prepared = _Prepared.of(settings, processes, resume=resume, progress=own, tracking=tracking)
        resolved, run = prepared.resolved, prepared.run
        check_agreement(
            processes,
            resolved.settings,
            out=settings.out,
            config=prepared.base.config,
            inputs=prepared.inputs,
            execution=run.execution,
            begun=RunFolder(settings.out).is_begun and resume,
        )
        processes.connect(run.execution.device)
        trained = train(prepared.base, prepared.splits, resolved, run, teacher=prepared.teacher)
        return finish(trained, resolved, run)


@dataclass(frozen=True)
class _Prepared:
    """A fine-tuning whose settings, data and model are checked; nothing is written yet."""

    base: Model
    splits: Splits
    resolved: Resolved
    teacher: TaskTeacher | None
    inputs: dict[str, Any]
    run: Run

    @classmethod
    def of(
        cls,
        settings: FinetuneSettings,
        processes: Processes,
        *,
        resume: bool,
        progress: Progress,
        tracking: Tracking,
    ) -> _Prepared:
        """Check everything that can be checked before the first step."""
        started = time.perf_counter()
        check_together(settings, world=processes.world)
        execution = on_own_device(training_execution(settings, to="train"))
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
            teacher = TaskTeacher(
                resolved.teacher, task=task, labels=source.labels, data=source.name, execution=execution
            )
            splits = seen_by_teacher(teacher, splits, source)
            inputs |= teacher_inputs(teacher, splits)
        folder = None
        if processes.is_main:  # the others need not see the directory
            kept = {**resolved.settings.to_dict(), "processes": processes.world}
            folder = RunFolder.open(settings.out, kept, resume=resume, inputs=inputs)
        run = Run(
            execution,
            one_writer(processes, folder, device=execution.device),
            progress,
            started,
            tracking,
            Shares(processes),
        )
        return cls(base, splits, resolved, teacher, inputs, run)


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
