"""Verdict: whether a run's score says more than simple methods do, in one sentence, with what to try next.

The spread is that of the difference of two scores, at 95 %: shares as binomial ones, correlations as Fisher has them.
Both scores are of the same examples, so the true spread is often smaller; a lead within it is not called one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from albertkit.io.counts import counted_noun
from albertkit.scoring.baseline import Baseline
from albertkit.scoring.intervals import difference_spread
from albertkit.scoring.metrics import metric_title

OUTCOMES = ("better", "tie", "worse", "trivial", "stuck")
"""Better than every baseline; as good as the best one within the spread; worse; no better than an answer that needs no
model of the texts; or the training got nowhere."""


@dataclass(frozen=True)
class Verdict:
    """What a score is worth."""

    outcome: str
    """One of `OUTCOMES`."""
    sentence: str
    """The same for people."""
    advice: tuple[str, ...] = ()
    """What to try next, the most promising first."""
    metric: str | None = None
    """The metric that was compared; None where nothing was."""
    baseline: str | None = None
    """Name of the best baseline."""
    difference: float | None = None
    """Score minus the baseline's, in points."""
    spread: float | None = None
    """How large a difference chance explains in 95 of 100 cases, in points."""

    @property
    def lines(self) -> list[str]:
        """The verdict as one or two lines for a terminal.

        >>> Verdict("stuck", "It learned nothing.", ("train longer (--epochs 12)", "--pooling mean")).lines
        ['Verdict: It learned nothing.', 'Try: train longer (--epochs 12); --pooling mean.']
        """
        advice = [f"Try: {'; '.join(self.advice)}."] if self.advice else []
        return [f"Verdict: {self.sentence}", *advice]


def judge(
    metrics: Mapping[str, float | None], *, baselines: Sequence[Baseline], examples: int, untrained: str | None = None
) -> Verdict | None:
    """Compare a score with the best baseline; None where there is nothing to compare with.

    >>> guessing = Baseline("guessing", {"accuracy": 50.6}, 0.0, words="guessing", trivial=True)
    >>> judge({"accuracy": 49.4}, baselines=[guessing], examples=500).sentence
    'The score is no better than guessing (accuracy 49.4 against 50.6).'

    Args:
        metrics: name -> value on 0-100, the main one first.
        baselines: scored on the same examples.
        examples: number of them.
        untrained: a sentence where the training got nowhere; then it is the verdict.
    """
    name, score = next(iter(metrics.items()), ("", None))
    known = [(value, one) for one in baselines if (value := one.metrics.get(name)) is not None and math.isfinite(value)]
    if score is None or not math.isfinite(score) or not known:
        return None if untrained is None else Verdict("stuck", untrained)
    best, baseline = max(known, key=lambda pair: pair[0])
    difference = score - best
    spread = difference_spread(score, best, metric=name, examples=examples)
    measured: dict[str, Any] = {
        "metric": name,
        "baseline": baseline.name,
        "difference": round(difference, 2),
        "spread": round(spread, 2),
    }
    if untrained is not None:
        return Verdict("stuck", untrained, **measured)
    other = baseline.words or baseline.name
    title = metric_title(name).removesuffix(", %")
    figures = f"{title} {score:.1f} against {best:.1f}"
    count = counted_noun(examples, "example")
    if difference > spread:
        return Verdict("better", f"The model beats {other} ({figures}, on {count}).", **measured)
    if baseline.trivial:
        return Verdict("trivial", f"The score is no better than {other} ({figures}).", **measured)
    if difference < -spread:
        won = f"{other[0].upper()}{other[1:]} is better: {title} {best:.1f} against {score:.1f} for this model"
        trivial = [one.words for value, one in known if one.trivial and value >= score]
        return Verdict("worse", f"{won}, which is no better than {trivial[0]}." if trivial else f"{won}.", **measured)
    return Verdict(
        "tie",
        f"No clear difference from {other} ({figures}): with {count}, differences up to {spread:.1f} points can be "
        "chance.",
        **measured,
    )
