"""A few-shot training: score the ways by cross-validation, train the best one on every row, say why it was chosen."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch

from albertkit.checkpoints.dense import Dense
from albertkit.data.examples import TextExample
from albertkit.datasets.dataset import Dataset
from albertkit.errors import RunError
from albertkit.evaluation.few_shot import FewShotChoice
from albertkit.inference.predictor import Predictor
from albertkit.inference.running import run_per_sequence
from albertkit.io.progress import counted
from albertkit.models.loaded import EmbeddingSpec
from albertkit.models.pretrained import with_task_head
from albertkit.scoring.baseline import Baseline, majority_baseline
from albertkit.scoring.metrics import score
from albertkit.scoring.score import Score
from albertkit.tasks.classification import ClassificationTask
from albertkit.tasks.classification.head import LinearHead
from albertkit.tasks.classification.temperature import LEAST_EXAMPLES, fit_temperature, negative_log_likelihood
from albertkit.tasks.encoded import unit_logits
from albertkit.training.encoded_splits import EncodedSplit
from albertkit.training.few_shot.baseline import cross_validated_tfidf
from albertkit.training.few_shot.checks import FEW, check_rows, rows_per_label
from albertkit.training.few_shot.contrastive import contrast_steps, planned_steps
from albertkit.training.few_shot.linear import fit_linear
from albertkit.training.few_shot.validation import Problem, Way, choose, cross_validate, stratified_folds
from albertkit.training.heads import head_of
from albertkit.training.history import step_event
from albertkit.training.loop import Step
from albertkit.training.probe import cached_features
from albertkit.training.resolved import Resolved
from albertkit.training.run import Run

FloatArray = npt.NDArray[np.float32]
TRIED_POOLINGS = {"texts": ("mean", "pooler"), "pairs": ("pair", "pooler")}
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
    scored: Score | None
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


class FewShotTraining:
    """Chooses by cross-validation on the training rows, and trains the chosen way on all of them.

    Args:
        predictor: the starting model with a fresh linear head.
        train: the training rows, tokenised.
        resolved: every choice.
        run: where it computes, writes and reports.
        embedding: what the starting model's vectors are; heads on the same pooling are fitted behind its map.

    Raises:
        DataError: a label has one row or none.
    """

    def __init__(
        self,
        predictor: Predictor,
        train: EncodedSplit,
        resolved: Resolved,
        run: Run,
        *,
        embedding: EmbeddingSpec | None = None,
    ) -> None:
        assert isinstance(train.targets, np.ndarray)
        self.predictor, self.train, self.settings, self.run = predictor, train, resolved.settings, run
        dataset, labels = train.dataset, predictor.labels
        check_rows(dataset, train.targets, labels=labels)
        folds = stratified_folds(train.targets, seed=self.settings.seed)
        self.problem = Problem(train.targets, len(labels), folds, dataset.metrics[0], resolved.class_weights)
        self.embedding = embedding
        self.steps = planned_steps(train.encoded)
        """Of one training on contrastive pairs."""

    def choose_and_train(self, *, scores_itself: bool) -> FewShot:
        """Score the ways, train the best one, and say why it was chosen.

        Args:
            scores_itself: whether no other split is there, so that the cross-validation gives the score.

        Raises:
            RunError: features or loss are not finite numbers.
        """
        if self.run.folder.continues:
            self.run.progress.report("few-shot training takes seconds, so it starts from the beginning")
        self.run.begin(self.settings.to_dict(), step=0)
        problem, dataset, targets = self.problem, self.train.dataset, self.problem.targets
        usual = TRIED_POOLINGS["pairs" if dataset.is_pair else "texts"]
        poolings = usual if self.settings.pooling is None else (self.settings.pooling,)
        features = {pooling: self._frozen_features(pooling) for pooling in poolings}
        ways = []
        for pooling, rows in features.items():
            ways.append(self._frozen_way(rows, pooling))
            self._report(ways[-1])
        # A step of pairs reads 16 texts whole: with several windows each that takes minutes.
        if rows_per_label(dataset) < 2 * FEW and np.median(self.train.encoded.counts) <= 1:
            ways.append(self._contrastive_way(poolings[0], rival=max(ways, key=lambda way: way.score)))
            self._report(ways[-1])
        chosen, why = choose(ways, metric=problem.metric, folds=len(problem.folds))
        tfidf, answers = cross_validated_tfidf(dataset, problem) if self.settings.baseline else (None, None)
        if tfidf is not None and tfidf.score is not None:
            more = ", which is more" if tfidf.score > chosen.score else ""
            why += f"; TF-IDF with logistic regression: {tfidf.score:.1f}{more}"
        self.run.progress.report(f"chosen: {why}")
        candidates = tuple(way.candidate() for way in ways)
        choice = FewShotChoice(chosen.name, why, problem.metric, len(problem.folds), candidates, tfidf)
        rows = self._contrasted_features(chosen.pooling) if chosen.contrastive else features[chosen.pooling]
        final, logits = self._final(chosen, rows)
        scores = {"train": _scores(logits, dataset, problem), "validation": _scores(chosen.logits, dataset, problem)}
        step = self.steps if chosen.contrastive else 1
        self.run.log({"event": "epoch", "step": step, "epoch": 1, **scores})
        temperature, reason = _temperature(chosen.logits, targets, scores_itself=scores_itself)
        task, labels, scored = final.model.task, final.labels, None
        if scores_itself and isinstance(task, ClassificationTask):
            scored = task.score_logits(
                chosen.logits,
                targets=targets,
                labels=labels,
                metrics=dataset.metrics,
                examples=dataset.of(TextExample),
            )
        return FewShot(
            predictor=final,
            choice=choice,
            trained_on=dataset.split,
            epochs=[scores],
            temperature=temperature,
            reason=reason,
            scored=scored,
            baselines=_baselines(answers, problem, dataset.metrics) if scores_itself else (),
        )

    def _frozen_features(self, pooling: str) -> FloatArray:
        sequences = self.train.encoded.sequences
        with self.run.progress.bar(f"features, {pooling}", total=len(sequences)) as advance:
            rows, _ = cached_features(self.predictor, sequences, pooling=pooling, progress=counted(advance))
        return self._by_text(rows, pooling)

    def _features(self, predictor: Predictor, pooling: str) -> FloatArray:
        rows = run_per_sequence(predictor.runtime, self.train.encoded.sequences, output=pooling)
        return self._by_text(rows, pooling)

    def _by_text(self, rows: FloatArray, pooling: str) -> FloatArray:
        """Return one row per text (of one in windows the mean), all of finite numbers.

        Where the model has a map of them they are mapped: distances there mean what the model was trained for, and with
        8 rows per label heads on albert-nano gain three points.
        """
        features = unit_logits(list(rows), self.train.encoded)
        if not np.isfinite(features).all():
            raise RunError("the encoder's outputs are not finite; try --precision fp32, or another --model")
        dense = self._dense(pooling)
        return features if dense is None else dense(features)

    def _dense(self, pooling: str) -> Dense | None:
        dense = None if self.embedding is None else self.embedding.dense_after(pooling)
        return None if dense is None or dense.activation != "identity" else dense  # only linear maps make one

    def _frozen_way(self, rows: FloatArray, pooling: str) -> Way:
        return cross_validate(f"frozen_{pooling}", lambda _: rows, self.problem, pooling=pooling)

    def _contrastive_way(self, pooling: str, *, rival: Way) -> Way:
        problem, model = self.problem, self.predictor.model
        total = self.steps * len(problem.folds)
        with self.run.progress.bar("cross-validating contrastive pairs", total=total) as advance:

            def features_of(fold: int) -> FloatArray:
                units = np.setdiff1d(np.arange(len(problem.targets)), problem.folds[fold])
                copied = replace(model, network_or_export=copy.deepcopy(model.network))
                trained = Predictor(copied, execution=self.run.execution)
                for step in self._contrast(trained, pooling, units=units):
                    advance(1, info=f"fold {fold + 1}, loss {step.loss:.3f}")
                return self._features(trained, pooling)

            return cross_validate(
                f"contrastive_{pooling}", features_of, problem, pooling=pooling, contrastive=True, rival=rival
            )

    def _contrasted_features(self, pooling: str) -> FloatArray:
        """Train the encoder on pairs of all rows, and return the features of these."""
        with self.run.progress.bar("training on contrastive pairs", total=self.steps) as advance:
            for step in self._contrast(self.predictor, pooling, units=np.arange(len(self.problem.targets))):
                self.run.log({**step_event(step), "epoch": 1})
                advance(1, info=f"loss {step.loss:.3f}")
        return self._features(self.predictor, pooling)

    def _contrast(self, predictor: Predictor, pooling: str, *, units: npt.NDArray[np.int64]) -> Iterator[Step]:
        return contrast_steps(
            predictor.model.network,
            self.train.encoded,
            self.problem.targets,
            units=units,
            pooling=pooling,
            execution=predictor.execution,
            steps=self.steps,
            batch_tokens=self.settings.batch_tokens,
            seed=self.settings.seed,
            dense=self._dense(pooling),
        )

    def _report(self, way: Way) -> None:
        metric = self.problem.metric
        for number, value in enumerate(way.scores, start=1):
            self.run.log({"event": "fold", "step": 1, "candidate": way.name, "fold": number, metric: value})
        figures = f"{way.name}: {metric} {way.score:.1f}, spread {np.std(way.scores):.1f}, {way.seconds:.1f} s"
        self.run.progress.report(figures + ("" if way.note is None else f" ({way.note})"))

    def _final(self, chosen: Way, rows: FloatArray) -> tuple[Predictor, FloatArray]:
        """Fit the chosen head on the features of all rows; return the model and its logits of these rows."""
        problem, start = self.problem, self.predictor.model
        head = fit_linear(
            rows,
            problem.targets,
            num_labels=problem.num_labels,
            strength=chosen.strength,
            weights=problem.weights,
        )
        logits, dense = head(rows), self._dense(chosen.pooling)
        if dense is not None:
            head = head.after(dense)
        assert start.task is not None
        spec = replace(start.head, pooling=chosen.pooling)
        made = with_task_head(start, task=start.task.name, labels=start.labels, head=spec)
        model = replace(made, task=start.task, notes=start.notes)
        own = head_of(model)
        assert isinstance(own, LinearHead)
        with torch.no_grad():
            own.weight.copy_(torch.from_numpy(head.weight))
            own.bias.copy_(torch.from_numpy(head.bias))
        model.network.eval()
        return Predictor(model, execution=self.run.execution), logits


def _baselines(tfidf: Baseline | None, problem: Problem, metrics: Sequence[str]) -> tuple[Baseline, ...]:
    majority = majority_baseline(
        problem.targets,
        test_labels=problem.targets,
        task="classification",
        metrics=metrics,
        num_labels=problem.num_labels,
    )
    return (majority,) if tfidf is None else (majority, tfidf)


def _scores(logits: FloatArray, dataset: Dataset, problem: Problem) -> dict[str, float]:
    measured = score(
        dataset.metrics,
        task="classification",
        labels_true=problem.targets,
        outputs=logits.argmax(axis=1),
        num_labels=problem.num_labels,
    ).metrics
    return {"loss": negative_log_likelihood(logits, labels_true=problem.targets), **measured}


def _temperature(
    logits: FloatArray, targets: npt.NDArray[np.int64], *, scores_itself: bool
) -> tuple[float | None, str | None]:
    """Fit the temperature to the cross-validated logits: no row's own head saw it."""
    if scores_itself:
        return None, "the probabilities are not calibrated: calibration needs held-out rows, such as --test 0.2"
    if len(targets) < LEAST_EXAMPLES:
        return (
            None,
            f"the probabilities are not calibrated: calibration needs {LEAST_EXAMPLES} rows, not {len(targets)}",
        )
    found = fit_temperature(logits, labels_true=targets)
    return found, None if found is not None else (
        "the probabilities are not calibrated: the cross-validated predictions are all correct, or no better than "
        "chance"
    )
