"""The verdict on a fine-tuning run: what its score is worth, and what to try next by what the run did."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from albertkit.data.examples import TextExample
from albertkit.evaluation.verdict import Verdict, judge
from albertkit.scoring.baseline import Baseline
from albertkit.tasks.classification import ClassificationTask
from albertkit.tasks.objective import objective_of
from albertkit.training.class_weights import class_weights
from albertkit.training.few_shot.checks import FEW
from albertkit.training.heads import task_of
from albertkit.training.history import constant_loss
from albertkit.training.recipes import FEWEST_STEPS
from albertkit.training.settings import FinetuneSettings
from albertkit.training.train import Trained

Epochs = Sequence[Mapping[str, Mapping[str, Any]]]

MOST_ADVICE = 3
_HIGHEST_RATE = {"small": 1e-3, "large": 1e-4}
"""The highest rate that is suggested, by the size of the network: nano's hidden size is at most 256."""


def verdict_of(trained: Trained, settings: FinetuneSettings, baselines: Sequence[Baseline]) -> Verdict | None:
    """Judge a run; one that does not beat its baselines gets advice.

    Args:
        trained: what the training gave, with a score.
        settings: complete ones.
        baselines: on the same split.
    """
    assert trained.scored is not None
    model, splits, scored = trained.predictor.model, trained.splits, trained.scored
    if scored.too_few_examples:  # no comparison means anything
        baselines = ()
    untrained = stuck(trained, settings) or scored.untrained
    found = judge(scored.metrics, baselines=baselines, examples=len(splits.test), untrained=untrained)
    if found is None or found.outcome == "better":
        return found
    task = task_of(model)
    run = RunFacts(
        settings=settings,
        rows=len(splits.train),
        classes=len(model.labels) if isinstance(task, ClassificationTask) else 0,
        pools=not task.trains_vectors and objective_of(task).reads == "sequences",
        is_small=model.config.hidden_size <= 256,
        losses=tuple(float(epoch["train"]["loss"]) for epoch in trained.epochs),
        best_epoch=trained.best_epoch,
        is_stuck=found.outcome == "stuck",
    )
    return replace(found, advice=advice_for(run))


def stuck(trained: Trained, settings: FinetuneSettings) -> str | None:
    """Return a sentence where the training of labels or numbers got nowhere, else None.

    Few-shot training has no loss that could tell.
    """
    model, lessons = trained.predictor.model, trained.lessons
    task = model.task
    if settings.few_shot or not isinstance(task, ClassificationTask):
        return None
    examples = trained.splits.train.of(TextExample)
    targets = task.targets(examples, num_labels=len(model.labels))
    weights = class_weights(settings.class_weights, task=task, examples=examples, labels=model.labels)
    if lessons is None:
        return stuck_at(trained.epochs, reference=constant_loss(task.name, targets, weights=weights))
    return stuck_at(trained.epochs, reference=lessons.constant_loss(targets, weights=weights))


def stuck_at(epochs: Epochs, *, reference: float) -> str | None:
    """Return a sentence when the training loss has not left the loss of a constant answer, else None.

    Args:
        epochs: each epoch's `train` scores with `loss`.
        reference: `constant_loss` of the training targets.
    """
    if not epochs or reference <= 0:
        return None
    best = min(float(epoch["train"]["loss"]) for epoch in epochs)
    if best < 0.98 * reference:
        return None
    return (
        f"The training loss is stuck at {best:.3f}: a constant prediction has {reference:.3f}, so the model has "
        "learned nothing from the texts."
    )


@dataclass(frozen=True)
class RunFacts:
    """What advice depends on."""

    settings: FinetuneSettings
    """Complete ones."""
    rows: int
    """Of the training split."""
    classes: int
    """Of a classification; 0 elsewhere."""
    pools: bool
    """Whether the head reads one vector per text whose pooling the user may choose."""
    is_small: bool
    """Whether the network is of nano's size."""
    losses: tuple[float, ...]
    """Training loss of each epoch."""
    best_epoch: int
    """From 1."""
    is_stuck: bool
    """Whether the training got nowhere."""

    @property
    def steps(self) -> int:
        """Optimizer steps, to the next whole epoch."""
        made = len(self.losses) * self.steps_per_epoch
        return made if self.settings.steps is None else min(made, self.settings.steps)

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps per epoch."""
        return max(math.ceil(self.rows / (self.settings.batch_size or 1)), 1)

    @property
    def still_falling(self) -> bool:
        """Whether the last epoch lowered the training loss by more than 2 %."""
        return len(self.losses) > 1 and self.losses[-1] < 0.98 * self.losses[-2]


def advice_for(run: RunFacts) -> tuple[str, ...]:
    """Return what to try next, the most promising first.

    Args:
        run: what the run did.
    """
    settings, found = run.settings, []
    if settings.few_shot:
        return ("more labelled rows", *(("a larger model (--model albert-base-v2)",) if run.is_small else ()))
    few = run.steps < FEWEST_STEPS and not settings.freeze_encoder
    last_is_best = run.best_epoch == len(run.losses)
    unfinished = last_is_best and run.still_falling
    if run.classes and run.rows < FEW * run.classes and not settings.freeze_encoder:
        found.append(f"{run.rows // run.classes:,} rows per class are few: use --few-shot")
    if few or unfinished or (last_is_best and len(run.losses) == 1):
        why = f"only {run.steps:,} training steps" if few else "the last epoch was the best"
        why = "the loss was still falling in the last epoch" if unfinished else why
        found.append(f"{why}: train longer ({_longer(run)})")
    rate = settings.learning_rate or 0.0
    higher = _rounded(3 * rate)
    may_rise = higher <= _HIGHEST_RATE["small" if run.is_small else "large"] and not settings.freeze_encoder
    if run.is_stuck and not unfinished:
        found.append(f"another learning rate (--learning-rate {higher:g} or {_rounded(rate / 3):g})")
    elif may_rise and (few or unfinished):
        found.append(f"a higher learning rate (--learning-rate {higher:g})")
    if run.pools and settings.pooling in ("pooler", "cls"):
        found.append("mean pooling (--pooling mean)")
    if settings.freeze_encoder:
        found.append("train the encoder too (leave out --freeze-encoder)")
    if not last_is_best and not few:
        found.append(
            f"epoch {run.best_epoch} of {len(run.losses)} was the best: more epochs will not help; more rows may"
        )
    if run.is_small:
        found.append("a larger model (--model albert-base-v2)")
    return tuple(found[:MOST_ADVICE]) or ("more labelled rows",)


def _longer(run: RunFacts) -> str:
    if run.settings.epochs is None:
        return f"--steps {4 * run.steps}"
    return f"--epochs {max(4 * run.settings.epochs, math.ceil(FEWEST_STEPS / run.steps_per_epoch))}"


def _rounded(rate: float) -> float:
    return float(f"{rate:.1g}")
