"""Score: what a set of predictions amounts to, whatever they are predictions of."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from albertkit.errors import UsageError
from albertkit.scoring.calibration import Calibration
from albertkit.scoring.intervals import Interval, says_nothing
from albertkit.scoring.mistakes import Mistake

NULL_THRESHOLD = 1.0
"""The default of SQuAD's official script: an answer counts as "" where its null odds are above."""


@dataclass(frozen=True)
class Confusion:
    """Counts of a classification by true and predicted label."""

    labels: tuple[str, ...]
    """Names of the labels, in order of their indices."""
    matrix: tuple[tuple[int, ...], ...]
    """A row for each true label, a column for each predicted one."""


@dataclass(frozen=True)
class Score:
    """The metrics of one set of predictions, and what else is known of them."""

    metrics: dict[str, float]
    """Name -> value on 0-100 (correlations: -100 to 100), the main one first."""
    notes: tuple[str, ...] = ()
    """Sentences: why a number is what it is."""
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    """Metric -> its 95 % interval, where that is known."""
    parts: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Part of the split (HasAns and NoAns, middle and high, entity types) -> its `examples` and its metrics."""
    thresholds: Mapping[str, float] = field(default_factory=dict)
    """SQuAD 2.0 with null odds: the thresholds of the best scores, in the units of the odds."""
    confusion: Confusion | None = None
    """Of a classification."""
    calibration: Calibration | None = None
    """Of the probabilities of a classification as the task gives them, with its temperature."""
    calibration_before: Calibration | None = None
    """The same without the temperature; None where the task has none."""
    logits: npt.NDArray[np.float32] | None = field(default=None, compare=False, repr=False)
    """Of labels or a number per text, `[n, outputs]`, so that calibration and agreement can be measured."""
    mistakes: Sequence[Mistake] = field(default=(), compare=False, repr=False)
    """Examples that went wrong, the worst first; empty where the task does not tell."""
    untrained: str | None = None
    """A sentence where the predictions show that the model learned nothing."""

    @property
    def too_few_examples(self) -> bool:
        """Whether there are so few examples that the main metric, the first one, says nothing."""
        return says_nothing(self.intervals.get(next(iter(self.metrics), "")))

    def chosen(self, names: Sequence[str], *, task: str) -> Score:
        """Return the score with these metrics, in their order; those of parts and best scores stay.

        >>> Score({"f1": 80.0, "recall": 75.0, "middle/f1": 70.0}).chosen(["recall"], task="tags").metrics
        {'recall': 75.0, 'middle/f1': 70.0}

        Args:
            names: the metrics, the main one first.
            task: what an error message calls the task.

        Raises:
            UsageError: one of them is not there.
        """
        unknown = [name for name in names if name not in self.metrics]
        if unknown:
            raise UsageError(f'metric "{unknown[0]}" does not fit {task}; use {", ".join(self.metrics)}')
        more = {name: value for name, value in self.metrics.items() if "/" in name or name.startswith("best_")}
        metrics = {name: self.metrics[name] for name in names} | more
        intervals = {name: self.intervals[name] for name in metrics if name in self.intervals}
        return replace(self, metrics=metrics, intervals=intervals)


@dataclass(frozen=True)
class ScoreOptions:
    """What a file of predictions may need besides itself."""

    prediction_column: str | None = None
    """Column (or key) of the predictions; found by its usual names if None."""
    null_odds: str | os.PathLike[str] | None = None
    """SQuAD 2.0: a JSON file of id -> odds that there is no answer."""
    null_threshold: float = NULL_THRESHOLD
    """SQuAD 2.0: an answer counts as "" where its null odds are above."""
    scheme: str | None = None
    """Tags: IOB2 or IOBES for seqeval's strict mode; its default, which is conlleval's, if None."""

    def require_known(self, known: Sequence[str], *, where: str) -> None:
        """Refuse options that do not go with a task.

        Args:
            known: names of those that do.
            where: what the predictions are for, in the words of a message.

        Raises:
            UsageError: an option is given that is not known.
        """
        given: dict[str, tuple[Any, str]] = {
            "null_odds": (self.null_odds, "--null-odds works only with SQuAD 2.0"),
            "scheme": (self.scheme, "--scheme works only with tags"),
        }
        for name, (value, words) in given.items():
            if value is not None and name not in known:
                raise UsageError(f"{words}, but {where}")
