"""Parse the values of a label column: a class, a number, or several classes."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from albertkit.datasets.list_texts import is_list_text, may_be_list, parse_list
from albertkit.datasets.rows import checked_text
from albertkit.errors import DataError, did_you_mean

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+")
_NOT_FINITE = ("inf", "infinity", "nan")
LARGEST = 1e18
"""Largest number that regression learns: its square fits well into fp32."""
_NUMBERS = re.compile(r"[0-9]+(?:\s*,\s*[0-9]+)*")
_TWO_PLACES = re.compile(r"[01]\s*,\s*[01]")
_WHOLE = re.compile(r"([+-]?)(0|[1-9][0-9]*)\.0+")
_TRUTH = {"True": "true", "TRUE": "true", "False": "false", "FALSE": "false"}
_ZEROS_AND_ONES = frozenset({"0", "1", "false", "true"})


def is_missing(value: Any) -> bool:
    """Return whether a label is not there: null, NaN, or an empty cell.

    >>> [is_missing(value) for value in (None, float("nan"), " ", "NaN", 0, "no")]
    [True, True, True, True, False, False]
    """
    if isinstance(value, float):
        return math.isnan(value)
    return value is None or (isinstance(value, str) and value.strip().lower() in ("", "nan"))


def label_text(value: Any) -> str:
    """Return the name of a class as a label list has it: 1, 1.0 and "1.0" are "1"; True and "TRUE" are "true".

    >>> label_text(" pos "), label_text("1.0"), label_text(True), label_text("01")
    ('pos', '1', 'true', '01')

    Raises:
        ValueError: the value is missing, or neither word nor number.
    """
    if is_missing(value):
        raise ValueError("the label is missing")
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (float, Decimal)) and math.isfinite(value) and value == int(value):
        return str(int(value))
    if isinstance(value, (int, float, Decimal)):
        return str(value)
    text = checked_text(value, column="label").strip()
    whole = _WHOLE.fullmatch(text)
    if whole is not None:
        sign, digits = whole.groups()
        return f"-{digits}" if sign == "-" and digits != "0" else digits
    return _TRUTH.get(text, text)


def label_texts(value: Any) -> list[str]:
    """Return the names in a multi-label value: a list, a list written as text, words with "|" or numbers with commas.

    >>> label_texts("war|peace"), label_texts("['war', 'peace']"), label_texts(["war"]), label_texts("")
    (['war', 'peace'], ['war', 'peace'], ['war'], [])
    >>> label_texts("0,2,5")
    ['0', '2', '5']

    Raises:
        ValueError: the value is missing, or neither list nor text.
    """
    if isinstance(value, (list, tuple)):
        return [label_text(item) for item in value]
    if isinstance(value, str):
        if is_list_text(value):
            return [label_text(item) for item in parse_list(value)]
        between = "," if _NUMBERS.fullmatch(value.strip()) else "|"
        return [label_text(item) for item in value.split(between)] if value.strip() else []
    if is_missing(value):
        raise ValueError("the label is missing")
    return [label_text(value)]


def infer_task(values: Iterable[Any]) -> str:
    """Name the task that a column of labels is for.

    Lists, also those written as text, are multi-label, and so are texts of two zeros and ones; numbers, at least one of
    them a fraction, are regression; anything else names classes.

    >>> infer_task(["4.5", "3"]), infer_task([1, 2]), infer_task(["a|b"]), infer_task([["a"], []])
    ('regression', 'classification', 'classification', 'multilabel')
    >>> infer_task(["['a', 'b']", "[]"]), infer_task(["0,1", "1,0"]), infer_task(["0,1", "2,5"])
    ('multilabel', 'multilabel', 'regression')
    >>> infer_task(["0.5", "inf"]), infer_task(["inf", "nan"])
    ('regression', 'classification')
    """
    there = [value for value in values if not is_missing(value)]
    if any(isinstance(value, (list, tuple)) for value in there) or holds_list_texts(there):
        return "multilabel"
    texts = [str(value).strip() for value in there]
    if texts and all(_TWO_PLACES.fullmatch(text) for text in texts):
        return "multilabel"
    finite = [text for text in texts if text.lower().lstrip("+-") not in _NOT_FINITE]
    if not finite or not all(_NUMBER.fullmatch(text) or _DECIMAL_COMMA.fullmatch(text) for text in finite):
        return "classification"
    # Among numbers "inf" is a number, too, and is refused by its row; it is not a class.
    fractions = len(finite) < len(texts) or any("," in text or not float(text).is_integer() for text in finite)
    return "regression" if fractions else "classification"


def holds_list_texts(values: Iterable[Any]) -> bool:
    """Return whether a column holds lists that were written as text, as pandas does with a column of lists in CSV.

    >>> holds_list_texts(["['a']", "[]"]), holds_list_texts(["[spam]", "[ham]"])
    (True, False)
    """
    there = [value for value in values if not is_missing(value)]
    lists = [isinstance(value, str) and is_list_text(value) for value in there]
    return bool(lists) and (
        all(lists) or any(lists[at] and not {"'", '"'}.isdisjoint(there[at]) for at in range(len(there)))
    )


def unreadable_list(values: Iterable[Any]) -> str | None:
    """Return the first text that only looks like a list, if most labels of a column look like lists; else None.

    >>> unreadable_list(["[a, b]", "[a]"]), unreadable_list(["['a']", "[]"]), unreadable_list(["[a]", "b", "c"])
    ('[a, b]', None, None)
    """
    there = [value for value in values if not is_missing(value)]
    alike = [value for value in there if isinstance(value, str) and may_be_list(value)]
    if 2 * len(alike) <= len(there):
        return None
    return next((value for value in alike if not is_list_text(value)), None)


def numbers_with_commas(values: Iterable[Any]) -> str | None:
    """Return the first of several numbers in a column of whole numbers with commas, which could be labels or a name.

    Zeros and ones that `infer_task` takes for lists, and numbers that a decimal comma explains, are none.

    >>> numbers_with_commas(["3", "0,2,5"]), numbers_with_commas(["0,1,0", "1,1,0"]), numbers_with_commas(["0,2", "3"])
    ('0,2,5', None, None)
    """
    texts = [str(value).strip() for value in values if not is_missing(value)]
    if holds_list_texts(texts) or not all(_NUMBERS.fullmatch(text) for text in texts):
        return None
    return next((text for text in texts if text.count(",") > 1), None)


def zeros_and_ones(values: Iterable[Any]) -> int:
    """Return the length of the lists in a multi-label column if these hold zeros and ones for labels; else 0.

    Lists of unequal length in which nothing is there twice hold the labels "0" and "1" themselves.

    >>> zeros_and_ones([[0, 1, 0], [1, 1, 0]]), zeros_and_ones([["a"], ["b"]]), zeros_and_ones([[0], [0, 1]])
    (3, 0, 0)
    """
    lengths, repeats = {0}, False
    read = [names for value in values if (names := _readable(value)) is not None]
    others = [names for names in read if not _ZEROS_AND_ONES.issuperset(names)]
    if others and not _are_slips(others, read):
        return 0
    for names in read:
        lengths.add(len(names))
        repeats = repeats or len(set(names)) < len(names)
    longest = max(lengths)
    return longest if repeats or (longest > 1 and lengths == {0, longest}) else 0


def _readable(value: Any) -> list[str] | None:
    try:
        return label_texts(value)
    except ValueError:
        return None  # reading it tells what is wrong


def _are_slips(others: Sequence[list[str]], read: Sequence[list[str]]) -> bool:
    """Return whether a few lists, such as [0, 2, 0], are slips among lists of as many zeros and ones."""
    sizes = {len(names) for names in read if names}
    long = len(sizes) == 1 and max(sizes) > 1
    numbers = all(re.fullmatch("[0-9]+|true|false", name) for names in others for name in names)
    repeats = sum(len(set(names)) < len(names) for names in read)
    return long and numbers and 10 * len(others) <= len(read) and 2 * repeats > len(read)


def collect_labels(values: Iterable[Any], *, task: str) -> tuple[str, ...]:
    """Return the names of the classes in a column, whole numbers in their own order, other names sorted.

    >>> collect_labels(["10", "9", "9"], task="classification"), collect_labels(["b|a", "c"], task="multilabel")
    (('9', '10'), ('a', 'b', 'c'))

    Args:
        values: the column; values that are not labels are skipped here, because reading them reports them.
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
    """Return the index of a class; 1.0 and true find the class 1 where there is no class of their own.

    >>> label_index("yes", labels=("no", "yes")), label_index("1", labels=("0.0", "1.0"))
    (1, 1)

    Raises:
        ValueError: the name is not among the labels; the sentence holds them and the nearest one.
    """
    if name in labels:
        return labels.index(name)
    same = [index for index, label in enumerate(labels) if _folded(label) == _folded(name)]
    if len(same) == 1:
        return same[0]
    known = ", ".join(labels[:10]) + (", ..." if len(labels) > 10 else "")
    raise ValueError(f'label "{name:.60}" is not one of the labels ({known}){did_you_mean(name, labels)}')


def _folded(name: str) -> str:
    """One form for what files write differently: 1.0 and 1, True and 1."""
    text = label_text(name) if not is_missing(name) else name
    return {"true": "1", "false": "0"}.get(text, text)


def parse_label(value: Any, *, task: str, labels: Sequence[str]) -> int | float | tuple[int, ...]:
    """Return what an example's `label` holds: an index, a number, or rising indices.

    >>> parse_label("b|a", task="multilabel", labels=("a", "b"))
    (0, 1)
    >>> parse_label([0, 1, 1], task="multilabel", labels=("a", "b", "c"))
    (1, 2)
    >>> parse_label("2.5", task="regression", labels=())
    2.5

    Raises:
        ValueError: the value is missing, not a finite number, or not among the labels.
    """
    if task == "multilabel":
        return _label_indices(label_texts(value), labels)
    if task == "classification":
        own = isinstance(value, str) and value.strip() in labels  # "1.0" may be a name that the user gave
        return label_index(value.strip() if own else label_text(value), labels=labels)
    text = label_text(value)
    try:
        number = float(text)
    except ValueError:
        comma = f"; write {text.replace(',', '.')}" if _DECIMAL_COMMA.fullmatch(text) else ""
        raise ValueError(f'label "{text:.60}" is not a number, which regression needs{comma}') from None
    if not math.isfinite(number):
        raise ValueError(f"label {text} is not a finite number")
    if abs(number) > LARGEST:
        raise ValueError(f"label {text} is too large; the largest number allowed is {LARGEST:g}")
    return number


def _label_indices(names: Sequence[str], labels: Sequence[str]) -> tuple[int, ...]:
    """Return the indices of several labels, given by name, or by one zero or one for each label."""
    by_position = _ZEROS_AND_ONES.issuperset(names) and not _ZEROS_AND_ONES.issuperset(labels)
    if by_position and len(names) == len(labels):
        return tuple(index for index, name in enumerate(names) if name in ("1", "true"))
    numbered = any(label.isdecimal() for label in labels)
    if len(names) == len(labels) > 1 and not numbered and all(name.isdecimal() for name in names) and not by_position:
        other = next(name for name in names if name not in _ZEROS_AND_ONES)
        raise ValueError(f"{other} is neither 0 nor 1 in [{', '.join(names)}], which has a number for each label")
    if by_position and len(names) > 1 and not _ZEROS_AND_ONES.intersection(labels):
        known = ", ".join(labels[:10]) + (", ..." if len(labels) > 10 else "")
        raise ValueError(f"{len(names)} zeros and ones for {len(labels)} labels ({known})")
    return tuple(sorted({label_index(name, labels=labels) for name in names}))
