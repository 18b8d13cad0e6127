"""The epochs of a full training: train, score the validation split after each, keep the best one's weights."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from albertkit.batching.cutting import training_steps
from albertkit.errors import RunError
from albertkit.inference.predictor import Predictor
from albertkit.io.progress import counted
from albertkit.scoring.intervals import too_few
from albertkit.scoring.score import Score
from albertkit.tasks.classification.exits import ExitObjective, every_head
from albertkit.tasks.classification.head import ClassificationObjective
from albertkit.tasks.objective import Objective, objective_of
from albertkit.tasks.saved import saved_settings, with_saved_settings
from albertkit.tasks.task import Task
from albertkit.training.encoded_splits import (
    EncodedSplit,
    EncodedSplits,
    losses_of,
    measure_batch_statistics,
    split_outputs,
)
from albertkit.training.epoch_state import EpochState
from albertkit.training.exits import ExitInputs
from albertkit.training.heads import head_of, task_of
from albertkit.training.history import EpochRecord, step_event, step_info
from albertkit.training.loop import (
    FeatureInputs,
    HeadTraining,
    Inputs,
    Plan,
    Step,
    StepPlan,
    TextInputs,
    diverged,
    train_steps,
)
from albertkit.training.optimizers import build_optimizer
from albertkit.training.recipes import LoopSettings
from albertkit.training.resolved import Resolved
from albertkit.training.run import Run
from albertkit.training.run_folder import BEST
from albertkit.training.schedules import Schedule
from albertkit.training.shares import Shares, chosen_workers

if TYPE_CHECKING:
    from albertkit.training.lessons import Lessons


class EpochLoop:
    """Trains the head of a model, and unless it is frozen the encoder, epoch by epoch.

    Args:
        predictor: the model with its fresh head.
        splits: what trains, and what chooses the epoch.
        resolved: every choice.
        loop: those of this loop.
        run: where it computes, writes and reports.
        lessons: a teacher's answers to the training texts.

    Raises:
        RunError: a checkpoint cannot be used.
    """

    def __init__(
        self,
        predictor: Predictor,
        splits: EncodedSplits,
        resolved: Resolved,
        loop: LoopSettings,
        run: Run,
        lessons: Lessons | None = None,
    ) -> None:
        self.predictor, self.splits, self.resolved, self.loop, self.run = predictor, splits, resolved, loop, run
        settings, task, train = resolved.settings, task_of(predictor.model), splits.train
        network, head = predictor.model.network, head_of(predictor.model)
        trained: nn.Module = head if settings.freeze_encoder else network
        network.encoder.requires_grad_(not settings.freeze_encoder)
        network.encoder.gradient_checkpointing = settings.gradient_checkpointing
        heads = every_head(network, head=task.head) if settings.exits else nn.ModuleList([head])
        if task.name == "regression" and isinstance(train.targets, np.ndarray):
            for each in heads:
                if isinstance(each, nn.Linear):
                    mean = float(train.targets.mean())
                    nn.init.constant_(each.bias, mean)  # else the first epoch only finds the mean
        self.objective = _objective(task, resolved.class_weights, exits=settings.exits)
        """Of the labels."""
        shares = self._shares(train)
        inputs, epochs = _inputs_of(predictor, train, resolved, loop, shares)
        self.training = HeadTraining(
            inputs,
            heads if settings.exits else head,
            self.objective if lessons is None else lessons.objective(self.objective),
            train.targets if lessons is None else lessons.targets(train.targets),
            predictor.execution.torch_device,
            shares,
        )
        total = loop.total_steps(len(epochs(0)))
        warmup = int(total * loop.warmup)
        rate = Schedule(loop.schedule, peak=loop.learning_rate, total_steps=total, warmup_steps=warmup)
        self.plan = StepPlan(epochs, rate, total, settings.clip_norm, settings.seed)
        optimizer = build_optimizer(loop.optimizer, [trained], weight_decay=settings.weight_decay)
        outputs = task.num_outputs(predictor.model.labels) if self.objective.averages else 0
        record = EpochRecord(len(train.encoded), outputs)
        self.state = EpochState(trained, optimizer, record, main=train.dataset.metrics[0], patience=loop.patience)
        self._validated: list[npt.NDArray[np.float32]] | None = None
        self.state.restore(run.folder)
        run.begin(settings.to_dict() | shares.to_dict(), step=self.state.step)

    def _shares(self, train: EncodedSplit) -> Shares:
        """Return who computes a step: one worker if only a head is trained, or if a step's examples are compared."""
        run, settings = self.run, self.resolved.settings
        given = run.folder.recorded("parallel", settings.parallel)
        whole_step = self.objective.sees_whole_step or settings.head_norm == "batch"
        if given is None and (train.features is not None or whole_step):
            given = 1
        workers = chosen_workers(
            given,
            execution=run.execution,
            config=self.predictor.model.config,
            processes=run.shares.processes,
            step_tokens=float(train.encoded.lengths.mean()) * self.loop.batch_size,
        )
        return replace(run.shares, workers=workers)

    def train(self) -> EpochState:
        """Train to the end, leave the best epoch's weights in the network, and return the history.

        Raises:
            RunError: the loss is not a finite number.
            WriteError: the system refused a file.
        """
        state, run, total = self.state, self.run, self.plan.total_steps
        self._enter_training()
        for step in run.follow(
            train_steps(self.training, state.optimizer, self.plan, first_step=state.step),
            state,
            what="training",
            total=total,
            save_seconds=self.resolved.settings.save_seconds,
            event=step_event,
            info=step_info,
        ):
            if step.last_of_epoch or step.number == total:
                self._end_epoch(step)
                self._enter_training()
                state.save(run.folder)
        if state.stopped:
            run.progress.report(f"stopped early: no better validation score in {self.loop.patience} epochs")
        if self.splits.validation is not None:
            best = state.best(run.folder)
            state.trained.load_state_dict(best["weights"])
            model = self.predictor.model
            model.task = with_saved_settings(task_of(model), best.get("task", {}))
        return state

    def _enter_training(self) -> None:
        """Switch dropout on, except in a frozen encoder."""
        network = self.predictor.model.network
        network.train()
        if self.resolved.settings.freeze_encoder:
            network.encoder.eval()

    def _end_epoch(self, step: Step) -> None:
        """Score the epoch, keep the weights if they are the best so far, log and report."""
        state, train, model = self.state, self.splits.train, self.predictor.model
        metrics = train.dataset.metrics
        train_scores = state.record.scores(
            task_of(model), train.targets, metrics=metrics, num_labels=max(len(model.labels), 1)
        )
        measure_batch_statistics(self.predictor, train)
        scores = {"train": train_scores}
        validated, task, outputs = "", task_of(model), None
        if self.splits.validation is not None:
            outputs = self._outputs(self.splits.validation)
            scored, task, loss = self._validated_scores(self.splits.validation, outputs, step)
            scores["validation"] = {"loss": loss, **scored.metrics}
            score = f"{metrics[0]} {scored.metrics[metrics[0]]:.2f}"
            few = scored.too_few_examples
            validated = f"; validation loss {loss:.4f}, "
            validated += too_few(len(self.splits.validation.dataset)) if few else score
        if state.end_epoch(scores) and self.splits.validation is not None:
            kept = {"weights": state.trained.state_dict(), "epoch": len(state.epochs), "task": saved_settings(task)}
            self.run.folder.save_checkpoint(kept, name=BEST)
            self._validated = outputs
        self.run.log({"event": "epoch", "step": step.number, "epoch": step.epoch + 1, **scores})
        trained = f", {metrics[0]} {train_scores[metrics[0]]:.2f}" if metrics[0] in train_scores else ""
        self.run.progress.report(
            f"epoch {len(state.epochs)}: training loss {train_scores['loss']:.4f}{trained}{validated}"
        )

    def validation_outputs(self) -> list[npt.NDArray[np.float32]]:
        """Return what the best epoch's weights, which `train` left in the network, say of the validation split.

        They are computed again only if the run was stopped after that epoch.
        """
        assert self.splits.validation is not None
        return self._validated or self._outputs(self.splits.validation)

    def _outputs(self, split: EncodedSplit) -> list[npt.NDArray[np.float32]]:
        with self.run.progress.bar("validation", total=len(split.encoded.sequences)) as advance:
            return split_outputs(self.predictor, split, self.run.shares.processes, progress=counted(advance))

    def _validated_scores(
        self, split: EncodedSplit, outputs: list[npt.NDArray[np.float32]], step: Step
    ) -> tuple[Score, Task, float]:
        """Return the scores of the validation split, the task with what was tuned on it, and the mean loss."""
        task = task_of(self.predictor.model)
        losses = losses_of(self.objective, split, outputs)
        loss = float(losses.mean())
        if not bool(np.isfinite(losses).all()):
            raise RunError(diverged(f"the validation loss became {loss}", step.number, step.learning_rate))
        if split is not self.splits.test:  # a threshold tuned on what is scored would flatter
            task = task.tuned(outputs, split.encoded, split.dataset.examples)
        return scored_outputs(task, self.predictor, split, outputs), task, loss


def _inputs_of(
    predictor: Predictor, train: EncodedSplit, resolved: Resolved, loop: LoopSettings, shares: Shares
) -> tuple[Inputs, Plan]:
    """Return what gives the head its states, and the plan of an epoch's steps.

    Args:
        predictor: the model that is trained.
        train: the tokenised training split, with features where the encoder is frozen.
        resolved: every choice.
        loop: those of the loop.
        shares: who computes the passes.
    """
    settings, model = resolved.settings, predictor.model
    tokens, lengths = max(settings.batch_tokens // shares.workers, 1), train.encoded.lengths
    inputs: Inputs
    if train.features is not None:
        inputs = FeatureInputs(train.features.to(predictor.execution.torch_device), train.encoded)
        tokens, lengths = loop.batch_size, np.ones(len(train.encoded), np.int64)
    elif settings.exits:
        inputs = ExitInputs(model.network, train.encoded, execution=predictor.execution, pooling=model.head.pooling)
    else:
        reads = objective_of(resolved.task).reads
        inputs = TextInputs(
            model.network, train.encoded, execution=predictor.execution, reads=reads, pooling=model.head.pooling
        )

    def plan(epoch: int) -> list[list[npt.NDArray[np.int64]]]:
        return training_steps(
            lengths,
            batch_size=loop.batch_size,
            batch_tokens=tokens,
            seed=settings.seed,
            epoch=epoch,
            shares=shares.count,
        )

    return inputs, plan


def _objective(task: Task, weights: npt.NDArray[np.float32] | None, *, exits: bool) -> Objective:
    if weights is None and not exits:
        return objective_of(task)
    kind = ExitObjective if exits else ClassificationObjective
    return kind(task.name, weights=None if weights is None else torch.from_numpy(weights))


def scored_split(predictor: Predictor, split: EncodedSplit, run: Run) -> Score:
    """Score the network as it is on the examples of a split."""
    with run.progress.bar(f"scoring {split.dataset.split}", total=len(split.encoded.sequences)) as advance:
        outputs = split_outputs(predictor, split, run.shares.processes, progress=counted(advance))
    return scored_outputs(task_of(predictor.model), predictor, split, outputs)


def scored_outputs(
    task: Task, predictor: Predictor, split: EncodedSplit, outputs: list[npt.NDArray[np.float32]]
) -> Score:
    """Score what the network said of the examples of a split."""
    return task.score_outputs(
        outputs,
        split.encoded,
        split.dataset.examples,
        labels=predictor.model.labels,
        metrics=split.dataset.metrics,
        data=split.dataset.name,
    )
