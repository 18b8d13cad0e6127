"""The part `few_shot` of a report: the candidates of few-shot training, and the one it chose."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Candidate:
    """One way to train, scored by cross-validation on the training rows."""

    name: str
    """`frozen_mean`, `frozen_pooler`, `contrastive_mean`, ..., or the name of a baseline."""
    score: float | None
    """Mean of the main metric over the folds, on 0-100; None where nothing was scored."""
    spread: float | None
    """Standard deviation over the folds."""
    folds: int
    """How many folds were scored."""
    strength: float | None = None
    """The `C` of the logistic regression, scikit-learn's inverse strength of L2; None of a baseline."""
    seconds: float = 0.0
    """Wall-clock seconds of the cross-validation."""
    note: str | None = None
    """A sentence on what was done otherwise than planned, such as an early stop."""


@dataclass(frozen=True)
class FewShotChoice:
    """Which candidate a few-shot run trained, and why."""

    chosen: str
    """Name of the candidate."""
    why: str
    """One sentence."""
    metric: str
    """What the candidates were compared by."""
    folds: int
    """Parts of the cross-validation."""
    candidates: tuple[Candidate, ...]
    """In the order that they were tried in, the simplest first."""
    baseline: Candidate | None = None
    """TF-IDF with logistic regression on the same folds; None where it was not asked for."""
