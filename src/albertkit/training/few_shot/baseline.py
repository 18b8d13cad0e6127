"""TF-IDF with logistic regression on the folds of a few-shot run."""

from __future__ import annotations

import time

import numpy as np

from albertkit.data.examples import TextExample
from albertkit.datasets.dataset import Dataset
from albertkit.evaluation.few_shot import Candidate
from albertkit.scoring.baseline import Baseline, Text, tfidf_outputs
from albertkit.scoring.metrics import score
from albertkit.training.few_shot.validation import Problem

NAME = "tfidf_logistic_regression"


def cross_validated_tfidf(dataset: Dataset, problem: Problem) -> tuple[Candidate, Baseline]:
    """Score TF-IDF on the same folds as the candidates.

    Args:
        dataset: the training rows.
        problem: their targets and folds.

    Returns:
        What to compare the candidates with (the mean over the folds), and the score of all answers together.
    """
    started = time.perf_counter()
    texts: list[Text] = [row.text if row.pair is None else (row.text, row.pair) for row in dataset.of(TextExample)]
    answers = np.zeros(len(texts), np.int64)
    scores = []
    for held in problem.folds:
        kept = np.setdiff1d(np.arange(len(texts)), held)
        answers[held], _ = tfidf_outputs(
            [texts[row] for row in kept],
            train_labels=problem.targets[kept],
            test_texts=[texts[row] for row in held],
            task="classification",
        )
        scores.append(problem.score(answers[held], held))
    seconds = round(time.perf_counter() - started, 2)
    found = score(
        dataset.metrics,
        task="classification",
        labels_true=problem.targets,
        outputs=answers,
        num_labels=problem.num_labels,
    )
    mean, spread = round(float(np.mean(scores)), 4), round(float(np.std(scores)), 4)
    return Candidate(NAME, mean, spread, len(scores), seconds=seconds), Baseline(
        NAME, found.metrics, seconds, found.notes
    )
