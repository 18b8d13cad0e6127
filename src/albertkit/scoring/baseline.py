"""Baselines to compare with every run's score: the most frequent label, and TF-IDF with a linear model.

A text is a string or a pair of strings. Both baselines see only the training split and take the same labels as
`metrics.score`: `[n]` label indices or numbers, multilabel `[n, labels]` of 0 and 1.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from albertkit.errors import DataError
from albertkit.scoring.metrics import check_labels, score

Text: TypeAlias = "str | tuple[str, str]"

# A word of its own, so that no bigram joins the end of the first text to the start of the second.
_PAIR_SEPARATOR = " xxpairxx "


@dataclass(frozen=True)
class Baseline:
    """What a baseline scores on the split that the run is scored on."""

    name: str
    """"majority" or "tfidf_logistic_regression" ("tfidf_ridge" for regression)."""
    metrics: Mapping[str, float | None]
    """Name -> value on 0-100."""
    seconds: float | None
    """Wall-clock seconds for fitting and predicting."""
    notes: tuple[str, ...] = ()
    """Sentences: what was done otherwise than planned."""
    words: str = field(default="", compare=False)
    """What the baseline does, for the verdict: "always predicting the same answer"."""
    trivial: bool = field(default=False, compare=False)
    """Whether it answers without a model of the texts."""


def majority_baseline(
    train_labels: npt.ArrayLike,
    *,
    test_labels: npt.ArrayLike,
    task: str,
    metrics: Iterable[str],
    num_labels: int,
) -> Baseline:
    """Score the answer that ignores the text: the commonest label, the mean number, or each label's commoner state.

    >>> majority_baseline(
    ...     [1, 1, 0], test_labels=[1, 0], task="classification", metrics=["accuracy"], num_labels=2
    ... ).metrics
    {'accuracy': 50.0}

    Args:
        train_labels: labels of the training split; of equally common ones the first wins.
        test_labels: labels of the scored split.
        task: "classification", "regression" or "multilabel".
        metrics: metric names.
        num_labels: number of labels the task knows.

    Raises:
        UsageError, DataError: as `metrics.score`, for the training labels too.
    """
    started = time.perf_counter()
    train = check_labels(train_labels, task=task, num_labels=num_labels, what="training label")
    test = np.asarray(test_labels)
    if task == "classification":
        answer: Any = np.bincount(train, minlength=num_labels).argmax()
    elif task == "multilabel":
        answer = (train.mean(axis=0) > 0.5).astype(np.int64)
    else:
        answer = train.mean()
    outputs = np.broadcast_to(answer, test.shape)
    found = score(metrics, task=task, labels_true=test, outputs=outputs, num_labels=num_labels)
    words = "always predicting the same answer"
    return Baseline("majority", found.metrics, time.perf_counter() - started, found.notes, words, trivial=True)


def tfidf_baseline(
    train_texts: Sequence[Text],
    *,
    train_labels: npt.ArrayLike,
    test_texts: Sequence[Text],
    test_labels: npt.ArrayLike,
    task: str,
    metrics: Iterable[str],
    num_labels: int,
) -> Baseline:
    """Score TF-IDF of words and word pairs with logistic regression (regression: ridge).

    Tiny data and data with one class are not errors: the notes say what was done instead.

    Args:
        train_texts: the training split.
        train_labels: its labels.
        test_texts: the scored split.
        test_labels: its labels.
        task: "classification", "regression" or "multilabel".
        metrics: metric names.
        num_labels: number of labels the task knows.

    Raises:
        UsageError, DataError: as `metrics.score`; DataError too when texts and labels differ in number.
    """
    started = time.perf_counter()
    train = check_labels(train_labels, task=task, num_labels=num_labels, what="training label")
    test = np.asarray(test_labels)
    for texts, labels, split in ((train_texts, train, "training"), (test_texts, test, "scored")):
        if len(texts) != len(labels):
            raise DataError(f"the {split} split has {len(texts)} texts and {len(labels)} labels; each text needs one")
    check_labels(test, task=task, num_labels=num_labels)  # before the long work, not after it
    outputs, notes = tfidf_outputs(train_texts, train_labels=train, test_texts=test_texts, task=task)
    found = score(metrics, task=task, labels_true=test, outputs=outputs, num_labels=num_labels)
    model = "ridge" if task == "regression" else "logistic"
    return Baseline(
        "tfidf_ridge" if model == "ridge" else "tfidf_logistic_regression",
        found.metrics,
        time.perf_counter() - started,
        tuple(dict.fromkeys([*notes, *found.notes])),
        f"TF-IDF with {model} regression",
    )


def tfidf_outputs(
    train_texts: Sequence[Text], *, train_labels: npt.NDArray[Any], test_texts: Sequence[Text], task: str
) -> tuple[npt.NDArray[Any], list[str]]:
    """Return what the baseline answers for each test text, and sentences on what was done otherwise than planned.

    Args:
        train_texts: the training split.
        train_labels: its labels, checked.
        test_texts: what to answer.
        task: "classification", "regression" or "multilabel".
    """
    notes: list[str] = []
    features, test_features = tfidf_features(train_texts, test_texts, notes=notes)
    if task == "regression":
        return _ridge(features, train_labels, test_features), notes
    if task == "multilabel":
        columns = [_logistic(features, column, test_features, notes=notes) for column in train_labels.T]
        return np.stack(columns, axis=1), notes
    return _logistic(features, train_labels, test_features, notes=notes), notes


def _joined(text: Text) -> str:
    return text if isinstance(text, str) else _PAIR_SEPARATOR.join(text)


def tfidf_features(train_texts: Sequence[Text], test_texts: Sequence[Text], *, notes: list[str]) -> tuple[Any, Any]:
    """Return TF-IDF of words and word pairs, learned from the training texts: sparse, `[texts, features]` of each.

    Args:
        train_texts: the training split.
        test_texts: the other one.
        notes: gets sentences on what was done otherwise than planned.
    """
    from scipy.sparse import csr_matrix
    from sklearn.feature_extraction.text import TfidfVectorizer

    for min_df in (2, 1):
        # float32 halves the memory of the features.
        vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=min_df, dtype=np.float32)
        try:
            features = vectorizer.fit_transform(map(_joined, train_texts))
        except ValueError:  # scikit-learn's answer to an empty vocabulary, or to min_df above the number of texts
            continue
        if min_df == 1:
            notes.append("no word occurs in two training texts, so TF-IDF kept words that occur in one")
        return features, vectorizer.transform(map(_joined, test_texts))
    notes.append("the training texts hold no words, so TF-IDF has no features")
    return csr_matrix((len(train_texts), 1), dtype=np.float32), csr_matrix((len(test_texts), 1), dtype=np.float32)


def _logistic(
    features: Any, labels: npt.NDArray[Any], test_features: Any, *, notes: list[str]
) -> npt.NDArray[np.int64]:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    if (labels == labels[0]).all():
        notes.append("every training label is the same, so it is the answer to every text")
        return np.full(test_features.shape[0], labels[0], dtype=np.int64)
    # C was chosen on held-out training rows: 10 beats scikit-learn's 1 by 1.1 points on IMDb and on rt-polarity.
    classifier = LogisticRegression(C=10.0, max_iter=200)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        classifier.fit(features, labels)
    if any(issubclass(entry.category, ConvergenceWarning) for entry in caught):
        notes.append("logistic regression stopped at 200 iterations before it converged")
    return np.asarray(classifier.predict(test_features), dtype=np.int64)


def _ridge(features: Any, labels: npt.NDArray[Any], test_features: Any) -> npt.NDArray[np.float64]:
    from sklearn.linear_model import Ridge

    model = Ridge(solver="lsqr").fit(features, labels.astype(np.float64))
    return np.asarray(model.predict(test_features), dtype=np.float64)
