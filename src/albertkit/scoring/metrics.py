"""Scores of predictions against labels, every metric on 0-100. scikit-learn and scipy do the counting.

    accuracy   classification: share of right rows; multilabel: share of rows with every label right
    f1         two labels: F1 of label 1, as GLUE has it; more labels: macro; multilabel: micro
    macro_f1   the mean of every label's own F1
    mcc        Matthews correlation (-100 to 100)
    pearson, spearman   correlation of predicted and true numbers (-100 to 100)

A metric is a function in the registry `METRICS`; one more is one more function and one line.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from albertkit.errors import DataError, UsageError
from albertkit.registry import Registry
from albertkit.scoring.intervals import Interval, correlation_interval, f1_interval, mean_interval, share_interval
from albertkit.scoring.score import Score

TASKS = ("classification", "regression", "multilabel")
"""Tasks that this file can score, as a data set names them."""


class Measured(NamedTuple):
    """What one metric found."""

    value: float
    """The score, on 0-100 (correlations: -100 to 100)."""
    note: str | None = None
    """A sentence where the number needs one."""
    interval: Interval | None = None
    """The 95 % interval of the score; None where it is not known."""


class Metric(Protocol):
    """A function that compares labels with outputs."""

    def __call__(
        self, labels_true: npt.NDArray[Any], *, outputs: npt.NDArray[Any], task: str, num_labels: int
    ) -> Measured:
        """Return the score of `outputs` (both arrays checked and of one shape)."""


METRICS: Registry[Metric] = Registry(
    "metric",
    group="albertkit.metrics",
    table={
        name: f"albertkit.scoring.metrics:{name}"
        for name in ("accuracy", "f1", "macro_f1", "mcc", "pearson", "spearman")
    },
)
"""Metric names and their functions."""

_FITTING = {
    "classification": ("accuracy", "f1", "macro_f1", "mcc"),
    "regression": ("pearson", "spearman"),
    "multilabel": ("f1", "macro_f1", "accuracy"),
}

_TITLES = {
    "accuracy": "accuracy, %",
    "f1": "F1, %",
    "macro_f1": "macro F1, %",
    "mcc": "Matthews correlation \u00d7 100",
    "pearson": "Pearson correlation \u00d7 100",
    "spearman": "Spearman correlation \u00d7 100",
    "exact": "exact match, %",
    "precision": "precision, %",
    "recall": "recall, %",
}


def metric_title(name: str) -> str:
    """Return the title of a metric for an axis or a table, with its unit.

    >>> metric_title("accuracy"), metric_title("own_metric")
    ('accuracy, %', 'own_metric')
    """
    return _TITLES.get(name, name)


def score(
    names: Iterable[str],
    *,
    task: str,
    labels_true: npt.ArrayLike,
    outputs: npt.ArrayLike,
    num_labels: int,
) -> Score:
    """Return each named metric on 0-100, notes and intervals.

    >>> found = score(
    ...     ["accuracy", "mcc"], task="classification", labels_true=[0, 1, 1, 1], outputs=[1, 1, 1, 1], num_labels=2
    ... )
    >>> found.metrics, found.notes
    ({'accuracy': 75.0, 'mcc': 0.0}, ('mcc is undefined and given as 0: every prediction is label 1',))

    Args:
        names: metric names.
        task: "classification", "regression" or "multilabel".
        labels_true: `[n]` label indices or numbers; multilabel: `[n, labels]` of 0 and 1.
        outputs: predictions in the same form.
        num_labels: number of labels the task knows (regression: not looked at).

    Raises:
        UsageError: an unknown metric or task, or a metric that does not fit the task.
        DataError: no examples, shapes that differ, or a label that cannot be.
    """
    labels, predicted = _checked(labels_true, outputs, task=task, num_labels=num_labels)
    metrics: dict[str, float] = {}
    notes: list[str] = []
    intervals: dict[str, Interval] = {}
    for name in names:
        if any(name in fitting for fitting in _FITTING.values()) and name not in _FITTING[task]:
            raise UsageError(f'metric "{name}" does not fit a {task} task; use {", ".join(_FITTING[task])}')
        found = Measured(*METRICS[name](labels, outputs=predicted, task=task, num_labels=num_labels))
        metrics[name] = float(found.value)
        if found.note is not None:
            notes.append(found.note)
        if found.interval is not None:
            intervals[name] = found.interval
    return Score(metrics, tuple(notes), intervals)


def confusion_matrix(labels_true: npt.ArrayLike, *, outputs: npt.ArrayLike, num_labels: int) -> npt.NDArray[np.int64]:
    """Count examples by true and predicted label of a classification.

    >>> confusion_matrix([0, 1, 1, 1], outputs=[0, 1, 1, 0], num_labels=2).tolist()
    [[1, 0], [1, 2]]

    Returns:
        `[labels, labels]`: a row for each true label, a column for each predicted one.

    Raises:
        DataError: no examples, shapes that differ, or a label outside 0 to num_labels - 1.
    """
    from sklearn.metrics import confusion_matrix as count

    labels, predicted = _checked(labels_true, outputs, task="classification", num_labels=num_labels)
    return np.asarray(count(labels, predicted, labels=np.arange(num_labels)), dtype=np.int64)


def accuracy(labels_true: npt.NDArray[Any], *, outputs: npt.NDArray[Any], task: str, num_labels: int) -> Measured:
    """Share of rows that are right; multilabel: rows whose every label is right."""
    from sklearn.metrics import accuracy_score

    del task, num_labels  # the shape of the arrays says it
    value = 100 * float(accuracy_score(labels_true, outputs))
    return Measured(value, interval=share_interval(value, len(labels_true)))


def f1(labels_true: npt.NDArray[Any], *, outputs: npt.NDArray[Any], task: str, num_labels: int) -> Measured:
    """F1 of label 1 for two labels (GLUE), macro for more, micro for multilabel."""
    average = "micro" if task == "multilabel" else "binary" if num_labels <= 2 else "macro"
    return _f1(labels_true, outputs, average=average, name="f1")


def macro_f1(labels_true: npt.NDArray[Any], *, outputs: npt.NDArray[Any], task: str, num_labels: int) -> Measured:
    """Mean of every label's F1, over the labels that occur in truth or prediction (multilabel: all)."""
    del task, num_labels
    return _f1(labels_true, outputs, average="macro", name="macro_f1")


def _f1(labels: npt.NDArray[Any], outputs: npt.NDArray[Any], *, average: str, name: str) -> Measured:
    from sklearn.metrics import f1_score

    value = 100 * float(f1_score(labels, outputs, average=average, zero_division=0.0))
    nothing_to_find = average in ("binary", "micro") and not labels.any() and not outputs.any()
    what = "row is of label 1 or predicted so" if average == "binary" else "row has a label or is given one"
    note = f"{name} is undefined and given as 0: no {what}" if nothing_to_find else None
    return Measured(value, note, _f1_interval(labels, outputs, average=average))


def _f1_interval(labels: npt.NDArray[Any], outputs: npt.NDArray[Any], *, average: str) -> Interval:
    if average in ("binary", "micro"):
        right, given, wanted = (int(np.count_nonzero(each)) for each in (labels & outputs, outputs, labels))
        return f1_interval(right, given=given, wanted=wanted)
    if labels.ndim == 1:
        found = np.union1d(labels, outputs)
        columns = [(labels == label, outputs == label) for label in found]
    else:
        columns = list(zip(labels.T.astype(bool), outputs.T.astype(bool), strict=True))
    values, intervals = [], []
    for true, predicted in columns:
        right, given, wanted = int((true & predicted).sum()), int(predicted.sum()), int(true.sum())
        values.append(200 * right / (given + wanted) if given + wanted else 0.0)
        intervals.append(f1_interval(right, given=given, wanted=wanted))
    return mean_interval(values, intervals)


def mcc(labels_true: npt.NDArray[Any], *, outputs: npt.NDArray[Any], task: str, num_labels: int) -> Measured:
    """Matthews correlation coefficient; 0 with a note where one side is constant."""
    from sklearn.metrics import matthews_corrcoef

    del task, num_labels
    for array, what in ((outputs, "prediction"), (labels_true, "true label")):
        if (array == array[0]).all():
            note = f"mcc is undefined and given as 0: every {what} is label {array[0]}"
            return Measured(0.0, note, correlation_interval(0.0, len(array)))
    value = 100 * float(matthews_corrcoef(labels_true, outputs))
    return Measured(value, interval=correlation_interval(value, len(labels_true)))


def pearson(labels_true: npt.NDArray[Any], *, outputs: npt.NDArray[Any], task: str, num_labels: int) -> Measured:
    """Linear correlation; 0 with a note where it is undefined."""
    del task, num_labels
    return _correlation("pearson", labels_true, outputs)


def spearman(labels_true: npt.NDArray[Any], *, outputs: npt.NDArray[Any], task: str, num_labels: int) -> Measured:
    """Rank correlation; 0 with a note where it is undefined."""
    del task, num_labels
    return _correlation("spearman", labels_true, outputs)


def _correlation(name: str, labels: npt.NDArray[Any], outputs: npt.NDArray[Any]) -> Measured:
    from scipy import stats

    undefined = f"{name} is undefined and given as 0: "
    nothing = correlation_interval(0.0, len(labels))
    bad = int((~np.isfinite(outputs)).sum())
    if bad:
        return Measured(0.0, f"{undefined}{bad} of {len(outputs)} predictions are not finite numbers", nothing)
    if len(labels) < 2:
        return Measured(0.0, f"{undefined}there is 1 example", nothing)
    for array, what in ((outputs, "prediction"), (labels, "true number")):
        if (array == array[0]).all():
            return Measured(0.0, f"{undefined}every {what} is {array[0]:g}", nothing)
    with warnings.catch_warnings():
        # Nearly constant input is legitimate early in training: the value is valid, scipy's warning would be noise.
        warnings.simplefilter("ignore")
        value = float((stats.pearsonr if name == "pearson" else stats.spearmanr)(labels, outputs).statistic)
    if not np.isfinite(value):
        return Measured(0.0, f"{undefined}the predictions differ by less than a rounding error", nothing)
    return Measured(100 * value, interval=correlation_interval(100 * value, len(labels)))


def _check_task(task: str) -> None:
    if task not in TASKS:
        raise UsageError(f'task "{task}" is not scored by labels; the ones that are: {", ".join(TASKS)}')


def check_labels(
    labels: npt.ArrayLike, *, task: str, num_labels: int, what: str = "label"
) -> npt.NDArray[np.int64] | npt.NDArray[np.float64]:
    """Return labels (or predictions) as an array of the task's kind, or say which row cannot be.

    >>> check_labels([0, 2], task="classification", num_labels=3).dtype.name
    'int64'

    Args:
        labels: `[n]` indices or numbers; multilabel: `[n, labels]` of 0 and 1.
        task: "classification", "regression" or "multilabel".
        num_labels: number of labels the task knows.
        what: how an error message calls a value; predicted numbers ("prediction") may be non-finite.

    Raises:
        UsageError: an unknown task.
        DataError: no rows, a shape that does not fit, or an invalid value.
    """
    _check_task(task)
    array = np.asarray(labels)
    if not len(array):
        raise DataError(f"there is nothing to score: the split holds 0 {what}s")
    if array.ndim != (2 if task == "multilabel" else 1) or (task == "multilabel" and array.shape[1] != num_labels):
        form = f"[n, {num_labels}]" if task == "multilabel" else "[n]"
        raise DataError(f"{what}s of shape {list(array.shape)} do not fit a {task} task, which needs {form}")
    if array.dtype.kind not in "biuf":
        raise DataError(f"{what}s must be numbers, not {array.dtype.name} (the first is {array[0]!r})")
    if task == "regression":
        numbers = array.astype(np.float64)
        wrong = ~np.isfinite(numbers)
        if what != "prediction" and wrong.any():
            row = int(wrong.argmax())
            raise DataError(
                f"the {what} of row {row} is {numbers[row]}, not a finite number; repair or leave out the row"
            )
        return numbers
    top = 1 if task == "multilabel" else num_labels - 1
    wrong = (array < 0) | (array > top) | (array != np.floor(array))
    if wrong.any():
        row, value = int(np.argwhere(wrong)[0][0]), array[wrong][0]
        hint = "; a split without labels cannot be scored" if what != "prediction" and value == -1 else ""
        raise DataError(f"{what} {value} in row {row} is not a whole number from 0 to {top}{hint}")
    return array.astype(np.int64)


def _checked(
    labels_true: npt.ArrayLike, outputs: npt.ArrayLike, *, task: str, num_labels: int
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    labels = check_labels(labels_true, task=task, num_labels=num_labels)
    predicted_shape = np.asarray(outputs).shape
    if labels.shape != predicted_shape:
        raise DataError(
            f"{list(labels.shape)} labels against {list(predicted_shape)} predictions: the shapes must agree"
        )
    return labels, check_labels(outputs, task=task, num_labels=num_labels, what="prediction")
