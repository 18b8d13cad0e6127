"""What stands in a label column, and what it means: a class, a number, or several classes."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

from albertkit.datasets.rows import checked_text
from albertkit.errors import DataError, did_you_mean

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


def is_missing(value: Any) -> bool:
    """Tell whether a label is not there: null, NaN, or an empty cell.

    >>> [is_missing(value) for value in (None, float("nan"), " ", "NaN", 0, "no")]
    [True, True, True, True, False, False]
    """
    if isinstance(value, float):
        return math.isnan(value)
    return value is None or (isinstance(value, str) and value.strip().lower() in ("", "nan"))


def label_text(value: Any) -> str:
    """Return the name of a class as it stands in a label list; 1 and 1.0 are both "1".

    >>> label_text(" pos "), label_text(1.0), label_text(True)
    ('pos', '1', 'true')

    Raises:
        ValueError: the value is missing, or neither word nor number.
    """
    if is_missing(value):
        raise ValueError("the label is missing")
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, (int, float)):
        return str(value)
    return checked_text(value, column="label").strip()


def label_texts(value: Any) -> list[str]:
    """Return the names in a multi-label value: a list, or words with "|" between them; empty for none.

    >>> label_texts("war|peace"), label_texts(["war"]), label_texts("")
    (['war', 'peace'], ['war'], [])

    Raises:
        ValueError: the value is missing, or neither list nor text.
    """
    if isinstance(value, (list, tuple)):
        return [label_text(item) for item in value]
    if isinstance(value, str):
        return [label_text(item) for item in value.split("|")] if value.strip() else []
    if is_missing(value):
        raise ValueError("the label is missing")
    return [label_text(value)]


def infer_task(values: Iterable[Any]) -> str:
    """Name the task that a column of labels is for.

    Lists are multi-label; numbers, at least one of them a fraction, are regression; anything else names classes.

    >>> infer_task(["4.5", "3"]), infer_task([1, 2]), infer_task(["a|b"]), infer_task([["a"], []])
    ('regression', 'classification', 'classification', 'multilabel')
    """
    there = [value for value in values if not is_missing(value)]
    if any(isinstance(value, (list, tuple)) for value in there):
        return "multilabel"
    numbers = all(_NUMBER.fullmatch(str(value).strip()) for value in there)
    return "regression" if numbers and any(not float(value).is_integer() for value in there) else "classification"


def collect_labels(values: Iterable[Any], *, task: str) -> tuple[str, ...]:
    """Return the names of the classes in a column, whole numbers in their own order, other names sorted.

    >>> collect_labels(["10", "9", "9"], task="classification"), collect_labels(["b|a", "c"], task="multilabel")
    (('9', '10'), ('a', 'b', 'c'))

    Args:
        values: the column; values that are no labels are passed over here, since reading them reports them.
        task: classification, multilabel, or regression (which has no classes).
    """
    names: set[str] = set()
    for value in values if task != "regression" else ():
        try:
            names.update(label_texts(value) if task == "multilabel" else [label_text(value)])
        except ValueError:
            continue
    if all(re.fullmatch(r"[+-]?[0-9]+", name) for name in names):
        return tuple(sorted(names, key=lambda name: (int(name), name)))
    return tuple(sorted(names))


def check_labels(labels: Sequence[str], *, where: str, task: str) -> None:
    """Refuse labels that a classifier cannot be trained on: none at all, or two ways to write one.

    Two labels are one where they differ in nothing but case, spacing or the width of letters (Unicode's NFKC).

    >>> check_labels(("no", "yes"), where="mail.csv", task="classification")

    Args:
        labels: names of the classes.
        where: the file or data set, as the sentence names it.
        task: classification, multilabel, or regression (which has no classes).

    Raises:
        DataError: names the file and the labels.
    """
    if task == "multilabel" and not labels:
        raise DataError(f"{where}: no row has a label, so there is nothing to learn; check the label column")
    seen: dict[str, str] = {}
    for label in labels:
        folded = " ".join(unicodedata.normalize("NFKC", label).casefold().split())
        if folded in seen:
            raise DataError(
                f'{where}: the labels "{seen[folded]:.60}" and "{label:.60}" differ only in case or spacing; '
                "write them one way, or rename one"
            )
        seen[folded] = label


def label_index(name: str, *, labels: Sequence[str]) -> int:
    """Return the index of a class.

    >>> label_index("yes", labels=("no", "yes"))
    1

    Raises:
        ValueError: the name is not among the labels; the sentence holds them and the nearest one.
    """
    try:
        return labels.index(name)
    except ValueError:
        known = ", ".join(labels[:10]) + (", ..." if len(labels) > 10 else "")
        nearest = did_you_mean(name, labels)
        raise ValueError(f'label "{name:.60}" is not one of the labels ({known}){nearest}') from None


def parse_label(value: Any, *, task: str, labels: Sequence[str]) -> int | float | tuple[int, ...]:
    """Return what an example's `label` holds: an index, a number, or rising indices.

    >>> parse_label("b|a", task="multilabel", labels=("a", "b"))
    (0, 1)
    >>> parse_label("2.5", task="regression", labels=())
    2.5

    Raises:
        ValueError: the value is missing, not a finite number, or not among the labels.
    """
    if task == "multilabel":
        return tuple(sorted({label_index(name, labels=labels) for name in label_texts(value)}))
    if task == "classification":
        return label_index(label_text(value), labels=labels)
    text = label_text(value)
    try:
        number = float(text)
    except ValueError:
        raise ValueError(f'label "{text:.60}" is not a number, which regression needs') from None
    if not math.isfinite(number):
        raise ValueError(f"label {text} is not a finite number")
    return number
