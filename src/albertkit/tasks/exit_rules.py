"""Decide when a text exits early: layers agree (patience), or the distribution has low entropy. NumPy only.

    patience 2      layer 1 2 3 4      classes  B A A A      agreements  0 0 1 2: it leaves after layer 4, as A

Zhou et al. 2020, "BERT Loses Patience: Fast and Robust Inference with Early Exit" (arXiv 2006.04152), section 3.2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from albertkit.errors import UsageError
from albertkit.tasks.classification import ClassificationTask
from albertkit.tasks.task import Task

FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class ExitRule:
    """One of two rules: `patience`, with a `tolerance` where answers are numbers, or `entropy`.

    Raises:
        UsageError: none or both of the rules, or an invalid number.
    """

    patience: int | None = None
    """A sequence leaves when so many layers in a row have said what the layer before them said; 1 or more."""
    entropy: float | None = None
    """A sequence leaves when the entropy of its probabilities is below this, in nats (two labels: at most 0.693)."""
    tolerance: float | None = None
    """Regression: two layers agree when their numbers differ by less than this."""

    def __post_init__(self) -> None:
        if (self.patience is None) == (self.entropy is None):
            raise UsageError("give either --exit-patience or --entropy, not both")
        if self.patience is not None and self.patience < 1:
            raise UsageError(f"--exit-patience is {self.patience}; it must be 1 or more layers")
        if self.entropy is not None and not 0 < self.entropy < float("inf"):
            raise UsageError(f"--entropy is {self.entropy:g}; it must be above 0 nats, such as 0.2")
        if self.tolerance is not None and not 0 < self.tolerance < float("inf"):
            raise UsageError(f"--tolerance is {self.tolerance:g}; it must be a difference above 0, such as 0.1")

    def __str__(self) -> str:
        if self.entropy is not None:
            return f"entropy below {self.entropy:g} nats"
        return f"patience {self.patience}" + ("" if self.tolerance is None else f", tolerance {self.tolerance:g}")

    def watch(self, task: Task) -> Watch:
        """Return what follows the sequences of one batch through the layers.

        Raises:
            UsageError: a rule that this task cannot follow.
        """
        if not isinstance(task, ClassificationTask):
            raise UsageError(f"early exits work for classification, regression and multilabel, not for {task.name}")
        if self.entropy is not None and task.name != "classification":
            raise UsageError(f"--entropy needs one label per text, but this is {task.name}; use --exit-patience")
        if self.tolerance is None and self.patience is not None and task.name == "regression":
            raise UsageError(
                "--exit-patience with a regression needs --tolerance, the largest difference at which two layers "
                "agree, such as 0.1"
            )
        if self.tolerance is not None and task.name != "regression":
            raise UsageError(f"--tolerance works only for regression, but this is {task.name}; leave it out")
        return Watch(self, task)


class Watch:
    """Follows the sequences of one batch; call it after every layer, in the order of the layers.

    >>> from albertkit.tasks.classification import CLASSIFICATION
    >>> watch = ExitRule(patience=1).watch(CLASSIFICATION)
    >>> watch(np.array([[1, 0], [1, 0]], np.float32)).tolist(), watch(np.array([[0, 1], [2, 0]], np.float32)).tolist()
    ([False, False], [False, True])
    """

    def __init__(self, rule: ExitRule, task: ClassificationTask) -> None:
        self.rule = rule
        self.task = task
        self._before: npt.NDArray[np.generic] | None = None
        self._agreed = np.zeros(0, np.int64)

    def __call__(self, logits: FloatArray) -> BoolArray:
        """Return which sequences exit after this layer; the next call gets the rows of the others, in their order.

        Args:
            logits: logits of this layer's head, `[remaining sequences, outputs]`.
        """
        if self.rule.entropy is not None:
            shares = self.task.probabilities(logits)
            sure: BoolArray = -(shares * np.log(np.maximum(shares, 1e-300))).sum(axis=1) < self.rule.entropy
            return sure
        now = self.task.predicted(logits)
        if self._before is None:
            self._agreed = np.zeros(len(now), np.int64)  # there is no layer before the first
        else:
            self._agreed = np.where(self._same(now), self._agreed + 1, 0)
        assert self.rule.patience is not None
        leaves: BoolArray = self._agreed >= self.rule.patience
        self._before, self._agreed = now[~leaves], self._agreed[~leaves]
        return leaves

    def _same(self, now: npt.NDArray[np.generic]) -> BoolArray:
        before = self._before
        assert before is not None
        if self.rule.tolerance is not None:
            close: BoolArray = np.abs(now.astype(np.float64) - before.astype(np.float64)) < self.rule.tolerance
            return close
        rows = len(now)
        same: BoolArray = (now.reshape(rows, -1) == before.reshape(rows, -1)).all(axis=1)  # of several labels all
        return same
