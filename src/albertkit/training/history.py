"""The scores and events of a run, epoch by epoch, and the loss of an answer that ignores the text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from albertkit.scoring.metrics import score
from albertkit.tasks.classification import ClassificationTask
from albertkit.tasks.encoded import UnitTargets
from albertkit.tasks.task import Task
from albertkit.training.loop import Step


class EpochRecord:
    """Collects what the head said of each training example during one epoch, as Keras' history does."""

    def __init__(self, num_examples: int, num_outputs: int) -> None:
        self.logits = np.zeros((num_examples, num_outputs), np.float32)
        self.losses = np.full(num_examples, np.nan, np.float32)

    def add(self, step: Step) -> None:
        """Record one step."""
        self.logits[step.indices] = step.logits
        self.losses[step.indices] = step.losses

    def scores(self, task: Task, targets: UnitTargets, *, metrics: Sequence[str], num_labels: int) -> dict[str, float]:
        """Return `loss` over the units seen and, of classifiers, metrics (0-100) over those with targets, the first."""
        seen = ~np.isnan(self.losses)
        known = seen[: len(targets)]
        if not isinstance(task, ClassificationTask) or isinstance(targets, list) or not known.any():
            return {"loss": float(self.losses[seen].mean())}
        measured = score(
            metrics,
            task=task.name,
            labels_true=targets[known],
            outputs=task.predicted(self.logits[: len(targets)][known]),
            num_labels=num_labels,
        ).metrics
        return {"loss": float(self.losses[seen].mean()), **measured}

    def clear(self) -> None:
        """Begin the next epoch."""
        self.losses[:] = np.nan


def step_event(step: Step) -> dict[str, Any]:
    """Return the line of `metrics.jsonl` on a step."""
    return {
        "event": "step",
        "step": step.number,
        "epoch": step.epoch + 1,
        "loss": step.loss,
        "learning_rate": step.learning_rate,
        "gradient_norm": step.gradient_norm,
        "examples": len(step.indices),
        "tokens": step.tokens,
        "seconds": round(step.seconds, 4),
    }


def step_info(step: Step) -> str:
    """Return what a bar shows of a step."""
    return f"epoch {step.epoch + 1}, loss {step.loss:.3f}, {step.tokens / step.seconds:,.0f} tokens/s"


def constant_loss(task: str, targets: npt.NDArray[Any], *, weights: npt.NDArray[np.float32] | None = None) -> float:
    """Return the loss of the best answer that ignores the text: what a network that is stuck shows.

    >>> round(constant_loss("classification", np.array([0, 1, 0, 1])), 4)
    0.6931

    Args:
        task: `classification`, `regression` or `multilabel`.
        targets: targets of the training examples.
        weights: what `class_weights` gave for them.
    """
    if task == "regression":
        return float(targets.var())
    if task == "classification":
        mass = np.bincount(targets, minlength=0 if weights is None else len(weights)) / len(targets)
        mass = mass if weights is None else mass * weights
        return float(-(mass * np.log(np.clip(mass / mass.sum(), 1e-12, 1))).sum())
    shares = targets.mean(axis=0)
    both = np.stack([1 - shares, shares])
    both = both if weights is None else both * weights
    return float(-(both * np.log(np.clip(both / both.sum(axis=0), 1e-12, 1))).sum(axis=0).mean())
