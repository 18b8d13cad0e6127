"""The epochs of a fine-tuning run: train, score the validation split after each, keep the best one's weights."""

from __future__ import annotations

import time
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from albertkit.datasets.dataset import DataSource
from albertkit.encoder.layer import Group
from albertkit.errors import RunError
from albertkit.evaluation.evaluate import Scored, score_outputs
from albertkit.evaluation.intervals import too_few
from albertkit.evaluation.null_threshold import tuned_task
from albertkit.inference.predictor import Predictor
from albertkit.io.progress import Teller, counted
from albertkit.models.pretrained import Model
from albertkit.tasks.classification.exits import ExitObjective, every_head
from albertkit.tasks.classification.head import ClassificationObjective
from albertkit.tasks.objective import Objective, objective_of
from albertkit.tasks.saved import saved_settings, with_saved_settings
from albertkit.tasks.task import Task
from albertkit.training.history import EpochRecord, step_event
from albertkit.training.inputs import inputs_of
from albertkit.training.loop import Step, diverged, train_steps
from albertkit.training.optimizers import build_optimizer
from albertkit.training.roles import (
    Role,
    losses_of,
    measure_batch_statistics,
    role_outputs,
)
from albertkit.training.run import RunFolder
from albertkit.training.schedules import learning_rate
from albertkit.training.settings import FinetuneSettings
from albertkit.training.state import TrainingState


def train_epochs(
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
        teller.say(f"continuing after step {first} of {total}")
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


def scored_role(predictor: Predictor, role: Role, source: DataSource, teller: Teller) -> Scored:
    """Score the network as it is on the examples of a role."""
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
    few = scored.too_few_examples
    validated = too_few(len(validation.dataset)) if few else f"{main} {scored.metrics[main]:.2f}"
    teller.say(
        f"epoch {len(state.epochs)}: training loss {train_scores['loss']:.4f}{trained}; "
        f"validation loss {scores['validation']['loss']:.4f}, {validated}"
    )
