"""Check the labels and sizes of a run's splits for problems that make its scores meaningless."""

from __future__ import annotations

import difflib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from albertkit.data.examples import TextExample
from albertkit.datasets.dataset import Dataset
from albertkit.io.counts import counted_noun

TINY = 50
"""Rows below which a split says little: one row is 2 points or more."""
_RARE = 5
"""A label with fewer rows is rare where another has ten times as many; one with a single row always is."""
_SHOWN = 8
_WITH_LABELS = ("classification", "multilabel")
_CORRELATIONS = ("pearson", "spearman")


def data_warnings(train: Dataset, validation: Dataset | None, scored: Dataset) -> list[str]:
    """Return one sentence for each thing that makes a run's scores less than they look.

    Args:
        train: the split to train on.
        validation: what chooses the epoch; None where cross-validation on the training rows chooses.
        scored: what is scored; any of the three may be the same.
    """
    warnings = []
    if validation is None:
        warnings += tiny_split(scored, "give the score")
    elif validation is scored:
        warnings += tiny_split(scored, "select the epoch and give the score")
    else:
        warnings += tiny_split(validation, "select the epoch")
        warnings += tiny_split(scored, "give the score")
    chooses = train if validation is None else validation
    splits = {id(dataset): dataset for dataset in (train, chooses, scored)}.values()
    return [*warnings, *rare_labels(train, splits), *contradictions(splits)]


def tiny_split(dataset: Dataset, does: str) -> list[str]:
    """Return a sentence on a split that is too small for what it does, else nothing.

    >>> from albertkit.data.examples import TextExample
    >>> data = Dataset("a.csv", "dev", "classification", ("no", "yes"), ("accuracy",), [TextExample("a", label=0)] * 3)
    >>> tiny_split(data, "give the score")[0][:65]
    'dev: only 3 rows give the score: one row is 33.3 points of accura'

    Args:
        dataset: the split.
        does: what it does, as it reads behind "only 3 rows".
    """
    rows = len(dataset)
    if not 0 < rows < TINY:
        return []
    metric = dataset.metrics[0] if dataset.metrics else "the score"
    meaning = f"one row is {100 / rows:.1f} points of {metric}"
    if metric in _CORRELATIONS:
        meaning = f"a {metric} correlation of so few rows moves with every row"
    return [
        f"{dataset.split}: only {counted_noun(rows, 'row')} {does}: {meaning}, so the result is mostly chance; "
        "label more rows, hold out more (--validation 0.3 --test 0.3), or average over several runs with another --seed"
    ]


def rare_labels(train: Dataset, splits: Iterable[Dataset]) -> list[str]:
    """Return a sentence that names the labels with too few rows to be learned, each with the frequent one it is like.

    Args:
        train: the split whose labels are counted for what is missing in it.
        splits: all splits of the run, itself among them.
    """
    if train.task not in _WITH_LABELS or not train.labels:
        return []
    counts: Counter[int] = Counter()
    for dataset in splits:
        counts.update(_indices(dataset))
    trained = Counter(_indices(train))
    most = max(counts.values(), default=0)
    rare = [index for index in range(len(train.labels)) if _is_rare(counts[index], most)]
    if not rare or len(rare) == len(train.labels):
        return []
    frequent = [label for index, label in enumerate(train.labels) if index not in set(rare)]
    told = [_told(train.labels[index], counts[index], trained[index], frequent) for index in rare[:_SHOWN]]
    more = f"; and {len(rare) - _SHOWN} more" if len(rare) > _SHOWN else ""
    return [
        f"rare labels, each treated as a class: {'; '.join(told)}{more}. A class needs about ten rows: correct, "
        "merge or remove these labels, or add rows"
    ]


def contradictions(splits: Iterable[Dataset]) -> list[str]:
    """Return a sentence on texts that have several labels in a task with one label per text."""
    seen: defaultdict[Any, set[Any]] = defaultdict(set)
    rows: Counter[Any] = Counter()
    for dataset in splits:
        if dataset.task != "classification":
            return []
        for example in dataset.of(TextExample):
            key = (example.text, example.pair)
            rows[key] += 1
            seen[key].add(example.label)
    texts = [key for key, labels in seen.items() if len(labels) > 1]
    if not texts:
        return []
    count = sum(rows[key] for key in texts)
    return [
        f"{len(texts)} text{'s have' if len(texts) > 1 else ' has'} rows with different labels ({count} rows; the "
        f'first: "{texts[0][0]:.40}"): no model can get all of them right; correct the labels'
    ]


def _indices(dataset: Dataset) -> Iterable[Any]:
    for example in dataset.of(TextExample):
        label = example.label
        yield from label if isinstance(label, tuple) else (() if label is None else (label,))


def _is_rare(count: int, most: int) -> bool:
    return count == 1 < most or (0 < count < _RARE and 10 * count <= most)


def _told(label: str, count: int, trained: int, frequent: Sequence[str]) -> str:
    rows = counted_noun(count, "row") + ("" if trained else ", none of them in training")
    nearest = difflib.get_close_matches(label, frequent, n=1, cutoff=0.75)
    return f"{label:.40} ({rows})" + (f": did you mean {nearest[0]:.40}?" if nearest else "")
