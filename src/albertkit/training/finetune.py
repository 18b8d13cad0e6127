"""Fine-tune a classifier, whole or on a frozen encoder: from settings to a run directory with its report."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from albertkit.datasets import DATASETS, open_data
from albertkit.datasets.dataset import DataSource
from albertkit.datasets.label_check import data_warnings
from albertkit.datasets.labels import check_labels
from albertkit.device import choose_execution, set_seed
from albertkit.errors import RunError, UsageError
from albertkit.evaluation.evaluate import Scored, score_outputs
from albertkit.evaluation.intervals import says_nothing, too_few
from albertkit.evaluation.null_threshold import tuned_task
from albertkit.evaluation.report import ChosenBy, Report
from albertkit.locks import locked
from albertkit.model.layer import Group
from albertkit.predictor import Predictor
from albertkit.pretrained import HeadSpec, Model, load_model, with_exits, with_task_head
from albertkit.progress import Silent, Teller, counted
from albertkit.tasks import TASKS
from albertkit.tasks.classification import ClassificationTask
from albertkit.tasks.classification.exits import ExitObjective, every_head
from albertkit.tasks.classification.head import ClassificationObjective
from albertkit.tasks.objective import Objective, objective_of
from albertkit.tasks.saved import saved_settings, with_saved_settings
from albertkit.tasks.task import Task
from albertkit.tasks.token_classification import TokenClassificationTask
from albertkit.training.checks import check_alone, check_head, check_length, default_pooling, task_for
from albertkit.training.class_weights import class_weights, label_notes
from albertkit.training.digest import finetune_inputs
from albertkit.training.exits import check_exits
from albertkit.training.few_shot.checks import amount_note, check_few_shot
from albertkit.training.few_shot.train import train_few_shot
from albertkit.training.finish import finish
from albertkit.training.history import EpochRecord, step_event
from albertkit.training.inputs import inputs_of
from albertkit.training.lessons import Lessons, seen_by_teacher, teacher_inputs
from albertkit.training.long_texts import complete_windows, with_windows
from albertkit.training.loop import Step, diverged, train_steps
from albertkit.training.optimizers import build_optimizer
from albertkit.training.recipes import complete
from albertkit.training.roles import (
    Role,
    losses_of,
    measure_batch_statistics,
    prepare_roles,
    question_notes,
    role_outputs,
    truncation_notes,
)
from albertkit.training.run import RunFolder
from albertkit.training.schedules import learning_rate
from albertkit.training.settings import FinetuneSettings
from albertkit.training.splits import Splits, choose_splits
from albertkit.training.state import TrainingState
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
    settings = complete(
        settings, nano=config.hidden_size <= 256, positions=config.max_position_embeddings, task=source.task
    )
    splits = choose_splits(source, settings)
    task = settings.task or task_for(splits.train)
    check_head(task, settings)
    check_exits(TASKS[task], settings)
    if settings.few_shot:
        check_few_shot(task, settings)
    else:
        settings = replace(settings, pooling=settings.pooling or default_pooling(task))
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
    head = HeadSpec(settings.head_hidden, settings.head_norm, settings.pooling or default_pooling(task))
    model = with_task_head(base, task=task, labels=source.labels, head=head, seed=settings.seed)
    if settings.exits:
        model = with_exits(model, seed=settings.seed)
    assert settings.max_length is not None
    model = replace(model, max_length=settings.max_length, task=with_windows(model.task, settings))
    if isinstance(model.task, TokenClassificationTask):
        model.task = model.task.split_as(splits.train.examples)
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
    best, epochs = _train(predictor, roles, source, settings, weights=weights, run=run, resume=resume, teller=tell)
    seconds = time.perf_counter() - started
    return finish(
        predictor,
        splits=splits,
        validation=roles["validation"],
        settings=settings,
        run=run,
        scored=_scored(predictor, roles["scored"], source, tell),
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
        splits = replace(splits, scored=replace(splits.train, split=found.split, skipped=(), notes=()))
    seconds = time.perf_counter() - started
    return finish(
        found.predictor,
        splits=splits,
        validation=roles["validation"],
        settings=replace(settings, pooling=found.predictor.model.head.pooling),
        run=run,
        scored=found.scored or _scored(found.predictor, roles["scored"], source, teller),
        chosen_by=ChosenBy(found.split, source.metrics[0]),
        best_epoch=1,
        epochs=found.epochs,
        seconds=seconds,
        teller=teller,
        few_shot=found,
    )


def _train(
    predictor: Predictor,
    roles: dict[str, Role],
    source: DataSource,
    settings: FinetuneSettings,
    *,
    weights: npt.NDArray[np.float32] | None,
    run: RunFolder,
    resume: bool,
    teller: Teller,
) -> tuple[int, list[dict[str, dict[str, float]]]]:
    """Train to the end, leave the best epoch's weights in the network; return that epoch and the history."""
    model = predictor.model
    task = model.task
    assert task is not None
    assert settings.learning_rate is not None
    assert settings.optimizer is not None
    train, lessons = roles["train"], roles["train"].lessons
    head = model.network.heads[task.head]
    trained: nn.Module = head if settings.freeze_encoder else model.network
    model.network.encoder.requires_grad_(not settings.freeze_encoder)
    for group in model.network.encoder.groups:
        assert isinstance(group, Group)
        group.recompute = settings.recompute
    heads = every_head(model.network, head=task.head) if settings.exits else nn.ModuleList([head])
    if task.name == "regression":
        assert not isinstance(train.targets, list)
        for each in heads:
            if isinstance(each, nn.Linear):
                nn.init.constant_(each.bias, float(train.targets.mean()))  # else the first epoch only finds the mean
    inputs, plan = inputs_of(predictor, train, settings)
    optimizer = build_optimizer(settings.optimizer, [trained], weight_decay=settings.weight_decay)
    per_epoch = len(plan(0))
    total = settings.steps or (settings.epochs or 1) * per_epoch
    rate = partial(
        learning_rate,
        peak=settings.learning_rate,
        total_steps=total,
        warmup_steps=int(total * (settings.warmup or 0)),
        schedule=settings.schedule or "linear",
    )
    objective = objective_of(task)
    if weights is not None or settings.exits:
        kind = ExitObjective if settings.exits else ClassificationObjective
        objective = kind(task.name, weights=None if weights is None else torch.from_numpy(weights))
    record = EpochRecord(len(train.encoded), task.num_outputs(model.labels) if objective.averages else 0)
    state = TrainingState(trained, optimizer, record)
    first = state.restore(run) if resume else 0
    rate(first)  # an unknown schedule is told before the directory is made
    run.begin(settings.to_dict(), step=first)
    if first:
        teller.say(f"going on after step {first} of {total}")
    saved = time.monotonic()
    stopped = settings.patience is not None and state.epochs_since_best() >= settings.patience
    _set_mode(model, settings)
    steps = train_steps(
        inputs=inputs,
        head=heads if settings.exits else head,
        objective=objective if lessons is None else lessons.objective(objective),
        targets=train.targets if lessons is None else lessons.targets(train.targets),
        device=predictor.execution.torch_device,
        optimizer=optimizer,
        rate=rate,
        plan=plan,
        total_steps=total,
        clip_norm=settings.clip_norm,
        seed=settings.seed,
        first_step=first,
    )
    with teller.bar("training", total=total) as advance:
        advance(first)
        while not stopped and (step := next(steps, None)) is not None:
            record.add(step)
            run.log(step_event(step))
            advance(1, info=f"epoch {step.epoch + 1}, loss {step.loss:.3f}, {step.tokens / step.seconds:,.0f} tokens/s")
            if step.last_of_epoch or step.number == total:
                _end_epoch(predictor, roles, source, objective, state=state, run=run, step=step, teller=teller)
                _set_mode(model, settings)
                stopped = settings.patience is not None and state.epochs_since_best() >= settings.patience
            if step.last_of_epoch or step.number == total or time.monotonic() - saved >= settings.save_seconds:
                state.save(run, step.number)
                saved = time.monotonic()
    if stopped:
        teller.say(f"stopped early: no better validation score in {settings.patience} epochs")
    best = state.best(run)
    trained.load_state_dict(best["weights"])
    model.task = with_saved_settings(task, best.get("task", {}))
    return state.best_epoch, state.epochs


def _set_mode(model: Model, settings: FinetuneSettings) -> None:
    model.network.train()
    if settings.freeze_encoder:
        model.network.encoder.eval()


def _scored(predictor: Predictor, role: Role, source: DataSource, teller: Teller) -> Scored:
    task = predictor.model.task
    assert task is not None
    with teller.bar(f"scoring {role.dataset.split}", total=len(role.encoded.sequences)) as advance:
        outputs = role_outputs(predictor, role, progress=counted(advance))
    return _score(task, predictor, role, outputs, source)


def _score(
    task: Task, predictor: Predictor, role: Role, outputs: list[npt.NDArray[np.float32]], source: DataSource
) -> Scored:
    return score_outputs(
        task,
        outputs,
        encoded=role.encoded,
        examples=role.dataset.examples,
        labels=predictor.model.labels,
        metrics=source.metrics,
        data=source.name,
    )


def _end_epoch(
    predictor: Predictor,
    roles: dict[str, Role],
    source: DataSource,
    objective: Objective,
    *,
    state: TrainingState,
    run: RunFolder,
    step: Step,
    teller: Teller,
) -> None:
    model, validation = predictor.model, roles["validation"]
    task = model.task
    assert task is not None
    train_scores = state.record.scores(
        task, roles["train"].targets, metrics=source.metrics, num_labels=max(len(model.labels), 1)
    )
    measure_batch_statistics(predictor, roles["train"])
    with teller.bar("validation", total=len(validation.encoded.sequences)) as advance:
        outputs = role_outputs(predictor, validation, progress=counted(advance))
    losses = losses_of(objective, validation, outputs)
    if not bool(np.isfinite(losses).all()):
        raise RunError(diverged(f"the validation loss became {float(losses.mean())}", step.number, step.learning_rate))
    if validation is not roles["scored"]:  # a threshold tuned on what is scored would flatter
        task = tuned_task(task, outputs, encoded=validation.encoded, examples=validation.dataset.examples)
    scored = _score(task, predictor, validation, outputs, source)
    scores = {"train": train_scores, "validation": {"loss": float(losses.mean()), **scored.metrics}}
    main = source.metrics[0]
    if state.end_epoch(scores, main=main):
        kept = {"weights": state.trained.state_dict(), "epoch": len(state.epochs), "task": saved_settings(task)}
        run.save_checkpoint(kept, name="best")
    run.log({"event": "epoch", "step": step.number, "epoch": step.epoch + 1, **scores})
    trained = f", {main} {train_scores[main]:.2f}" if main in train_scores else ""
    validated = f"{main} {scored.metrics[main]:.2f}"
    if says_nothing(scored.intervals.get(main)):
        validated = too_few(len(validation.dataset))
    teller.say(
        f"epoch {len(state.epochs)}: training loss {train_scores['loss']:.4f}{trained}; "
        f"validation loss {scores['validation']['loss']:.4f}, {validated}"
    )
