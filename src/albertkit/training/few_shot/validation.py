"""Cross-validation: score a way to get features, and choose among several ways."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from albertkit.evaluation.few_shot import Candidate
from albertkit.scoring.metrics import score
from albertkit.tasks.classification.temperature import negative_log_likelihood
from albertkit.training.few_shot.linear import STRENGTHS, fit_linear

FloatArray = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]

MOST_FOLDS = 5
"""Folds, or fewer where a label has fewer rows."""

BEFORE_STOP = 2
"""Folds in which a way has to be worse than its rival before it is given up."""


def stratified_folds(targets: npt.NDArray[np.int64], *, seed: int) -> list[Rows]:
    """Return the rows that each fold holds out.

    Args:
        targets: number of each row's label, `[rows]`; each label that is there has two rows or more.
        seed: of the draw.
    """
    from sklearn.model_selection import StratifiedKFold

    number = min(MOST_FOLDS, int(np.unique(targets, return_counts=True)[1].min()))
    drawn = StratifiedKFold(number, shuffle=True, random_state=seed).split(targets, targets)
    return [held_out for _, held_out in drawn]


@dataclass(frozen=True)
class Problem:
    """What every way is scored on."""

    targets: npt.NDArray[np.int64]
    """Number of each row's label, `[rows]`."""
    num_labels: int
    folds: Sequence[Rows]
    """The rows that each fold holds out."""
    metric: str
    """The main metric."""
    weights: npt.NDArray[np.float32] | None = None
    """Of the labels."""

    def score(self, outputs: npt.NDArray[np.int64], rows: Rows) -> float:
        """Return the main metric, 0-100, of the labels that were predicted for some rows."""
        found = score(
            [self.metric],
            task="classification",
            labels_true=self.targets[rows],
            outputs=outputs,
            num_labels=self.num_labels,
        ).metrics
        return float(found[self.metric])


@dataclass(frozen=True)
class Way:
    """A way to get features, scored; the strength of its head is the one that scored best."""

    name: str
    pooling: str
    """What the head reads of each text."""
    contrastive: bool
    """Whether the encoder is trained on pairs first."""
    strength: float
    scores: tuple[float, ...]
    """The main metric of each fold that was scored."""
    logits: FloatArray
    """Of each row from the head that was fitted without it, `[rows, labels]`; zeros for rows that no fold reached."""
    seconds: float
    note: str | None = None

    @property
    def score(self) -> float:
        """The mean over the folds."""
        return float(np.mean(self.scores))

    def candidate(self) -> Candidate:
        """Return what the report says of it."""
        return Candidate(
            name=self.name,
            score=round(self.score, 4),
            spread=round(float(np.std(self.scores)), 4),
            folds=len(self.scores),
            strength=self.strength,
            seconds=round(self.seconds, 2),
            note=self.note,
        )


def cross_validate(
    name: str,
    features_of: Callable[[int], FloatArray],
    problem: Problem,
    *,
    pooling: str,
    contrastive: bool = False,
    rival: Way | None = None,
) -> Way:
    """Fit heads of every strength on each fold's training part and score them on the rest.

    Args:
        name: name of the way.
        features_of: number of a fold -> features of all rows, `[rows, features]`, made without its held-out rows.
        problem: rows, folds and metric.
        pooling: what the features are.
        contrastive: whether the encoder is trained on pairs for them.
        rival: a way that was scored on all folds; this one is given up once it is worse in each of the first folds.
    """
    started = time.perf_counter()
    rows = len(problem.targets)
    logits = np.zeros((len(STRENGTHS), rows, problem.num_labels), np.float32)
    scores: list[list[float]] = [[] for _ in STRENGTHS]
    note = None
    done = 0
    for fold, held in enumerate(problem.folds):
        features = features_of(fold)
        kept = np.setdiff1d(np.arange(rows), held)
        for number, strength in enumerate(STRENGTHS):
            head = fit_linear(
                features[kept],
                problem.targets[kept],
                num_labels=problem.num_labels,
                strength=strength,
                weights=problem.weights,
            )
            logits[number, held] = head(features[held])
            scores[number].append(problem.score(logits[number, held].argmax(axis=1), held))
        done = fold + 1
        if rival is not None and BEFORE_STOP <= done < len(problem.folds):
            best = scores[max(range(len(STRENGTHS)), key=lambda number: sum(scores[number]))]
            if all(own < other for own, other in zip(best, rival.scores, strict=False)):
                note = f"stopped after {done} of {len(problem.folds)} folds: worse than {rival.name} in each"
                break
    seen = np.concatenate(problem.folds[:done])

    def rank(number: int) -> tuple[float, float]:
        loss = negative_log_likelihood(logits[number, seen], labels_true=problem.targets[seen])
        return sum(scores[number]), -loss

    best_number = max(range(len(STRENGTHS)), key=rank)
    return Way(
        name=name,
        pooling=pooling,
        contrastive=contrastive,
        strength=STRENGTHS[best_number],
        scores=tuple(scores[best_number]),
        logits=logits[best_number],
        seconds=time.perf_counter() - started,
        note=note,
    )


def better_by(one: Way, other: Way) -> tuple[float, float]:
    """Return by how much one way beats another in the folds that both have, and the standard error of that.

    Args:
        one: maybe given up early.
        other: maybe given up early.
    """
    differences = [first - second for first, second in zip(one.scores, other.scores, strict=False)]
    error = float(np.std(differences, ddof=1)) / len(differences) ** 0.5
    return float(np.mean(differences)), error


def choose(ways: Sequence[Way], *, metric: str, folds: int) -> tuple[Way, str]:
    """Return the way to train, and a sentence that says why.

    A way has to beat the simpler one before it by more than a standard error of the difference: with few rows the
    highest score is often chance.

    Args:
        ways: the simplest first.
        metric: what they were scored by.
        folds: folds of the whole cross-validation.
    """
    chosen, close = ways[0], ""
    for way in ways[1:]:
        gain, error = better_by(way, chosen)
        if way.note is None and gain > error:
            chosen, close = way, ""
        elif gain > 0 and not close:
            close = f"; {way.name} is {gain:.1f} points better, within the standard error of {error:.1f}"
    if len(ways) == 1:
        reason = "the only way for these options"
    else:
        reason = "no other way is clearly better" if chosen is ways[0] else "no simpler way is as good"
    score = f"{chosen.score:.1f} {metric} (spread {np.std(chosen.scores):.1f}) in {folds}-fold cross-validation"
    return chosen, f"{chosen.name}: {score}, {reason}{close}"
