"""A few-shot training: score the ways by cross-validation, train the best one on every row, say why it was chosen."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch

from albertkit.datasets.dataset import Dataset
from albertkit.errors import RunError
from albertkit.evaluation.baseline import Baseline, majority_baseline
from albertkit.evaluation.evaluate import Scored, score_logits
from albertkit.evaluation.few_shot import FewShotChoice
from albertkit.evaluation.metrics import compute_metrics
from albertkit.evaluation.temperature import LEAST_EXAMPLES, fit_temperature, negative_log_likelihood
from albertkit.inference.predictor import Predictor
from albertkit.inference.running import run_per_sequence
from albertkit.io.progress import Teller, counted
from albertkit.tasks.classification import ClassificationTask, unit_logits
from albertkit.tasks.classification.head import LinearHead
from albertkit.training.few_shot.baseline import cross_validated_tfidf
from albertkit.training.few_shot.checks import FEW, check_rows, rows_per_label
from albertkit.training.few_shot.contrastive import contrast_steps, planned_steps
from albertkit.training.few_shot.folds import stratified_folds
from albertkit.training.few_shot.linear import fit_linear
from albertkit.training.few_shot.validation import Problem, Way, choose, cross_validate
from albertkit.training.history import step_event
from albertkit.training.loop import Step
from albertkit.training.probe import cached_features
from albertkit.training.roles import Role
from albertkit.training.run import RunFolder
from albertkit.training.settings import FinetuneSettings

FloatArray = npt.NDArray[np.float32]
POOLINGS = ("mean", "pooler")
"""What heads on a frozen encoder read, unless one is asked for; the first one is also that of contrastive pairs."""


@dataclass(frozen=True)
class FewShot:
    """What a few-shot training gave."""

    predictor: Predictor
    """With the encoder and the head that were trained on every row."""
    choice: FewShotChoice
    trained_on: str
    """The training split."""
    epochs: list[dict[str, dict[str, float]]]
    """One: `train` scores of the final model on its own rows, `validation` scores of the cross-validation."""
    temperature: float | None
    reason: str | None
    """Why there is no temperature."""
    scored: Scored | None
    """The cross-validated score, where no other split is there to score; else None."""
    baselines: tuple[Baseline, ...]
    """On the same folds; empty where another split scores."""

    @property
    def split(self) -> str:
        """What chose."""
        return cross_validated_name(self.trained_on, self.choice.folds)


def cross_validated_name(split: str, folds: int) -> str:
    """Return the name of a split whose rows were each predicted by a model that did not see them.

    >>> cross_validated_name("train", 5)
    'train (5-fold cross-validation)'
    """
    return f"{split} ({folds}-fold cross-validation)"


def train_few_shot(
    predictor: Predictor,
    train: Role,
    settings: FinetuneSettings,
    *,
    weights: npt.NDArray[np.float32] | None,
    run: RunFolder,
    scores_itself: bool,
    teller: Teller,
) -> FewShot:
    """Choose by cross-validation on the training rows, and train the chosen way on all of them.

    Args:
        predictor: the starting model with a fresh linear head.
        train: the training rows, tokenised.
        settings: of the run.
        weights: of the labels.
        run: where the events go.
        scores_itself: whether no other split is there, so that the cross-validation gives the score.
        teller: where to say how it goes.

    Raises:
        DataError: a label has one row or none.
        RunError: features or loss are not finite numbers.
    """
    assert isinstance(train.targets, np.ndarray)
    targets, labels, dataset = train.targets, predictor.labels, train.dataset
    check_rows(dataset, targets, labels=labels)
    folds = stratified_folds(targets, seed=settings.seed)
    problem = Problem(targets, len(labels), folds, dataset.metrics[0], weights)
    run.begin(settings.to_dict(), step=0)
    poolings = POOLINGS if settings.pooling is None else (settings.pooling,)
    features = {pooling: _frozen_features(predictor, train, pooling, teller) for pooling in poolings}
    ways = []
    for pooling in poolings:
        ways.append(_frozen_way(features[pooling], problem, pooling))
        _tell(ways[-1], problem, run, teller)
    if rows_per_label(dataset) < 2 * FEW:
        best = max(ways, key=lambda way: way.score)
        ways.append(_contrastive_way(predictor, train, problem, settings, poolings[0], rival=best, teller=teller))
        _tell(ways[-1], problem, run, teller)
    chosen, why = choose(ways, metric=problem.metric, folds=len(folds))
    tfidf, answers = cross_validated_tfidf(dataset, problem) if settings.baseline else (None, None)
    if tfidf is not None and tfidf.score is not None:
        more = ", which is more" if tfidf.score > chosen.score else ""
        why += f"; TF-IDF with logistic regression: {tfidf.score:.1f}{more}"
    teller.say(f"chosen: {why}")
    candidates = tuple(way.candidate() for way in ways)
    choice = FewShotChoice(chosen.name, why, problem.metric, len(folds), candidates, tfidf)
    final, logits, steps = _final(predictor, train, problem, settings, chosen, features, run=run, teller=teller)
    epochs = [
        {"train": _scores(logits, dataset, problem), "validation": _scores(chosen.logits, dataset, problem)},
    ]
    run.log({"event": "epoch", "step": max(steps, 1), "epoch": 1, **epochs[0]})
    temperature, reason = _temperature(chosen.logits, targets, scores_itself=scores_itself)
    task = final.model.task
    assert isinstance(task, ClassificationTask)
    scored = None
    if scores_itself:
        scored = score_logits(task, chosen.logits, targets=targets, labels=labels, metrics=dataset.metrics)
    return FewShot(
        predictor=final,
        choice=choice,
        trained_on=dataset.split,
        epochs=epochs,
        temperature=temperature,
        reason=reason,
        scored=scored,
        baselines=_baselines(answers, problem, dataset.metrics) if scores_itself else (),
    )


def _baselines(tfidf: Baseline | None, problem: Problem, metrics: Sequence[str]) -> tuple[Baseline, ...]:
    majority = majority_baseline(
        problem.targets,
        test_labels=problem.targets,
        task="classification",
        metrics=metrics,
        num_labels=problem.num_labels,
    )
    return (majority,) if tfidf is None else (majority, tfidf)


def _frozen_features(predictor: Predictor, train: Role, pooling: str, teller: Teller) -> FloatArray:
    with teller.bar(f"features, {pooling}", total=len(train.encoded.sequences)) as advance:
        rows, _ = cached_features(predictor, train.encoded.sequences, pooling=pooling, progress=counted(advance))
    return _checked(unit_logits(list(rows), train.encoded))  # of a text in windows the mean


def _features(predictor: Predictor, train: Role, pooling: str) -> FloatArray:
    rows = run_per_sequence(predictor.runtime, train.encoded.sequences, output=pooling)
    return _checked(unit_logits(list(rows), train.encoded))


def _checked(features: FloatArray) -> FloatArray:
    if not np.isfinite(features).all():
        raise RunError("the encoder gives numbers that are not finite; try --precision fp32, or another --model")
    return features


def _frozen_way(features: FloatArray, problem: Problem, pooling: str) -> Way:
    return cross_validate(f"frozen_{pooling}", lambda _: features, problem, pooling=pooling)


def _contrastive_way(
    predictor: Predictor,
    train: Role,
    problem: Problem,
    settings: FinetuneSettings,
    pooling: str,
    *,
    rival: Way,
    teller: Teller,
) -> Way:
    steps = planned_steps(train.encoded)
    with teller.bar("cross-validating contrastive pairs", total=steps * len(problem.folds)) as advance:

        def features_of(fold: int) -> FloatArray:
            units = np.setdiff1d(np.arange(len(problem.targets)), problem.folds[fold])
            trained = _copy(predictor)
            for step in _contrast(trained, train, problem, settings, pooling, units=units, steps=steps):
                advance(1, info=f"fold {fold + 1}, loss {step.loss:.3f}")
            return _features(trained, train, pooling)

        return cross_validate(
            f"contrastive_{pooling}", features_of, problem, pooling=pooling, contrastive=True, rival=rival
        )


def _copy(predictor: Predictor) -> Predictor:
    model = predictor.model
    return Predictor(replace(model, network=copy.deepcopy(model.network)), execution=predictor.execution)


def _contrast(
    predictor: Predictor,
    train: Role,
    problem: Problem,
    settings: FinetuneSettings,
    pooling: str,
    *,
    units: npt.NDArray[np.int64],
    steps: int,
) -> Iterator[Step]:
    return contrast_steps(
        predictor.model.network,
        train.encoded,
        problem.targets,
        units=units,
        pooling=pooling,
        execution=predictor.execution,
        steps=steps,
        batch_tokens=settings.batch_tokens,
        seed=settings.seed,
    )


def _tell(way: Way, problem: Problem, run: RunFolder, teller: Teller) -> None:
    for number, score in enumerate(way.scores, start=1):
        run.log({"event": "fold", "step": 1, "candidate": way.name, "fold": number, problem.metric: score})
    said = f"{way.name}: {problem.metric} {way.score:.1f}, spread {np.std(way.scores):.1f}"
    teller.say(f"{said}, {way.seconds:.1f} s" + ("" if way.note is None else f" ({way.note})"))


def _final(
    predictor: Predictor,
    train: Role,
    problem: Problem,
    settings: FinetuneSettings,
    chosen: Way,
    features: dict[str, FloatArray],
    *,
    run: RunFolder,
    teller: Teller,
) -> tuple[Predictor, FloatArray, int]:
    """Train the chosen way on all rows; return the model, its logits of these rows, and the optimizer steps made."""
    steps = 0
    if chosen.contrastive:
        total = planned_steps(train.encoded)
        units = np.arange(len(problem.targets))
        with teller.bar("training on contrastive pairs", total=total) as advance:
            for step in _contrast(predictor, train, problem, settings, chosen.pooling, units=units, steps=total):
                run.log({**step_event(step), "epoch": 1})
                advance(1, info=f"loss {step.loss:.3f}")
        steps = total
        rows = _features(predictor, train, chosen.pooling)
    else:
        rows = features[chosen.pooling]
    head = fit_linear(
        rows,
        problem.targets,
        num_labels=problem.num_labels,
        strength=chosen.strength,
        weights=problem.weights,
    )
    model = replace(predictor.model, head=replace(predictor.model.head, pooling=chosen.pooling))
    assert model.task is not None
    own = model.network.heads[model.task.head]
    assert isinstance(own, LinearHead)
    with torch.no_grad():
        own.weight.copy_(torch.from_numpy(head.weight))
        own.bias.copy_(torch.from_numpy(head.bias))
    model.network.eval()
    return Predictor(model, execution=predictor.execution), head(rows), steps


def _scores(logits: FloatArray, dataset: Dataset, problem: Problem) -> dict[str, float]:
    measured = compute_metrics(
        dataset.metrics,
        task="classification",
        labels_true=problem.targets,
        outputs=logits.argmax(axis=1),
        num_labels=problem.num_labels,
    )
    return {"loss": negative_log_likelihood(logits, labels_true=problem.targets), **measured}


def _temperature(
    logits: FloatArray, targets: npt.NDArray[np.int64], *, scores_itself: bool
) -> tuple[float | None, str | None]:
    """Fit the temperature to the cross-validated logits: no row's own head saw it."""
    if scores_itself:
        return None, "the probabilities are not calibrated: that takes rows to score on, such as --test 0.2"
    if len(targets) < LEAST_EXAMPLES:
        return None, f"the probabilities are not calibrated: that takes {LEAST_EXAMPLES} rows, not {len(targets)}"
    found = fit_temperature(logits, labels_true=targets)
    return found, None if found is not None else (
        "the probabilities are not calibrated: the cross-validated answers are all right, or no better than chance"
    )
