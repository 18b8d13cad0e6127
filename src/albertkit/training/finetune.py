"""Fine-tune a classifier, whole or on a frozen encoder: from settings to a run directory with its report."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from albertkit.data.examples import TokenExample
from albertkit.datasets import DATASETS, open_data
from albertkit.datasets.dataset import DataSource
from albertkit.datasets.label_check import data_warnings
from albertkit.datasets.labels import check_labels
from albertkit.errors import UsageError
from albertkit.evaluation.report import ChosenBy, Report
from albertkit.hardware.device import choose_execution, set_seed
from albertkit.inference.predictor import Predictor
from albertkit.io.locks import locked
from albertkit.io.progress import Silent, Teller
from albertkit.models.pretrained import HeadSpec, load_model, with_exits, with_task_head
from albertkit.tasks import TASKS
from albertkit.tasks.classification import ClassificationTask
from albertkit.tasks.token_classification import TokenClassificationTask
from albertkit.training.checks import check_alone, check_head, check_length, task_for
from albertkit.training.class_weights import class_weights, label_notes
from albertkit.training.digest import finetune_inputs
from albertkit.training.epochs import scored_role, train_epochs
from albertkit.training.exits import check_exits
from albertkit.training.few_shot.checks import amount_note, check_few_shot
from albertkit.training.few_shot.train import train_few_shot
from albertkit.training.finish import finish
from albertkit.training.lessons import Lessons, seen_by_teacher, teacher_inputs
from albertkit.training.long_texts import complete_windows, with_windows
from albertkit.training.recipes import complete
from albertkit.training.roles import (
    Role,
    prepare_roles,
    question_notes,
    truncation_notes,
)
from albertkit.training.run import RunFolder
from albertkit.training.settings import FinetuneSettings
from albertkit.training.splits import Splits, choose_splits
from albertkit.training.task_teacher import TaskTeacher, complete_teacher
from albertkit.training.unlabelled import with_unlabelled


def finetune(settings: FinetuneSettings, *, resume: bool = False, teller: Teller | None = None) -> Report:
    """Train, choose the best epoch on the validation split, score, and write the run directory.

    Args:
        settings: what to do; open choices come from the recipe.
        resume: go on with a run that was stopped; its weights end as if it had not been.
        teller: where to say how it goes; silent when left out.

    Raises:
        UsageError, DataError, CheckpointError: the settings, the data or the model cannot be used.
        RunError: the run directory exists, cannot go on, or the loss diverged.
        WriteError: the system refused a file.
    """
    check_alone("finetune")
    with locked(settings.out):
        return _finetune(settings, resume=resume, tell=teller or Silent())


def _finetune(settings: FinetuneSettings, *, resume: bool, tell: Teller) -> Report:
    started = time.perf_counter()
    execution = choose_execution(device=settings.device, precision=settings.precision, threads=settings.threads)
    if execution.precision == "int8":
        raise UsageError("int8 is to predict with; train with --precision auto")
    # Columns are those of tables: with a known data set, of the unlabelled ones.
    has_columns = settings.data not in DATASETS or not settings.unlabelled
    source = open_data(
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
    base = load_model(settings.model)
    check_length(settings, base)
    config = base.network.config
    splits = choose_splits(source, settings)
    task = settings.task or task_for(splits.train)
    check_head(task, settings)
    settings = complete(
        settings,
        nano=config.hidden_size <= 256,
        positions=config.max_position_embeddings,
        task=source.task,
        rows=len(splits.train),
    )
    check_exits(TASKS[task], settings)
    if settings.few_shot:
        check_few_shot(task, settings)
    if isinstance(TASKS[task], ClassificationTask):
        check_labels(source.labels, where=source.name, task=task)
    settings = complete_teacher(complete_windows(settings, task=TASKS[task]), task=TASKS[task])
    weights = class_weights(
        settings.class_weights, task=TASKS[task], examples=splits.train.examples, labels=source.labels
    )
    splits = replace(splits, notes=(*splits.notes, *label_notes(source, weights=weights, task=settings.task)))
    chooses = None if settings.few_shot else splits.validation
    warnings = data_warnings(splits.train, chooses, splits.scored) + amount_note(splits.train, task, settings)
    splits = replace(splits, notes=(*splits.notes, *warnings))
    inputs = finetune_inputs(
        labels=source.labels,
        train=splits.train,
        validation=splits.validation,
        scored=splits.scored,
        network=base.network,
        tokenizer=base.tokenizer,
    )
    teacher = None
    if settings.teacher is not None:
        splits = with_unlabelled(splits, settings)
        teacher = TaskTeacher(
            settings.teacher, task=TASKS[task], labels=source.labels, data=source.name, execution=execution
        )
        splits = seen_by_teacher(teacher, splits, source)
        inputs |= teacher_inputs(teacher, splits)
    run = RunFolder.open(settings.out, settings.to_dict(), resume=resume, inputs=inputs)
    set_seed(settings.seed)
    head = HeadSpec(settings.head_hidden, settings.head_norm, settings.pooling or HeadSpec.pooling)
    model = with_task_head(base, task=task, labels=source.labels, head=head, seed=settings.seed)
    if settings.exits:
        model = with_exits(model, seed=settings.seed)
    assert settings.max_length is not None
    model = replace(model, max_length=settings.max_length, task=with_windows(model.task, settings))
    if isinstance(model.task, TokenClassificationTask):
        model.task = model.task.split_as(splits.train.of(TokenExample))
    for note in (*run.notes, *model.notes, *splits.notes):
        tell.say(f"note: {note}")
    predictor = Predictor(model, execution=execution)
    roles = prepare_roles(predictor, splits, settings, tell)
    if teacher is not None:
        roles["train"] = replace(roles["train"], lessons=Lessons.of(teacher, splits, settings, tell))
    splits = replace(
        splits,
        notes=(
            *splits.notes,
            *truncation_notes(roles, settings, tell, task=model.task),
            *question_notes(roles, settings, task=model.task),
        ),
    )
    if settings.few_shot:
        if resume:
            tell.say("few-shot training takes seconds, so it starts over")
        return _few_shot(
            predictor, splits, roles, source, settings, weights=weights, run=run, started=started, teller=tell
        )
    best, epochs = train_epochs(
        predictor, roles, source, settings, weights=weights, run=run, resume=resume, teller=tell
    )
    seconds = time.perf_counter() - started
    return finish(
        predictor,
        splits=splits,
        validation=roles["validation"],
        settings=settings,
        run=run,
        scored=scored_role(predictor, roles["scored"], source, tell),
        chosen_by=ChosenBy(splits.validation.split, source.metrics[0]),
        best_epoch=best,
        epochs=epochs,
        lessons=roles["train"].lessons,
        seconds=seconds,
        teller=tell,
    )


def _few_shot(
    predictor: Predictor,
    splits: Splits,
    roles: dict[str, Role],
    source: DataSource,
    settings: FinetuneSettings,
    *,
    weights: npt.NDArray[np.float32] | None,
    run: RunFolder,
    started: float,
    teller: Teller,
) -> Report:
    """Choose and train by cross-validation; the training rows give the score where no other split does."""
    scores_itself = roles["scored"] is roles["train"]
    found = train_few_shot(
        predictor, roles["train"], settings, weights=weights, run=run, scores_itself=scores_itself, teller=teller
    )
    if scores_itself:
        splits = replace(splits, scored=replace(splits.train, split=found.split, skipped=(), warnings=()))
    seconds = time.perf_counter() - started
    return finish(
        found.predictor,
        splits=splits,
        validation=roles["validation"],
        settings=replace(settings, pooling=found.predictor.model.head.pooling),
        run=run,
        scored=found.scored or scored_role(found.predictor, roles["scored"], source, teller),
        chosen_by=ChosenBy(found.split, source.metrics[0]),
        best_epoch=1,
        epochs=found.epochs,
        seconds=seconds,
        teller=teller,
        few_shot=found,
    )
