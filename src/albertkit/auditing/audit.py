"""Audit a data set: read its splits, embed the texts once, and look for everything that can be wrong.

DataSource -> rows of all splits -> vectors -> likeness (duplicates, leaks, outliers), label errors -> Audit
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from albertkit.auditing.findings import Audit, Cut, Duplicates, LabelError, Leak, Outlier, Place
from albertkit.auditing.label_errors import import_cleanlab, label_errors
from albertkit.auditing.likeness import compare_all, far_rows, groups, words_of
from albertkit.data.examples import TextExample
from albertkit.datasets.dataset import TASKS, DataSource
from albertkit.errors import DataError, UsageError
from albertkit.inference.predictor import Predictor
from albertkit.inference.running import Progress

MOST_ROWS = 100_000
"""Every text is compared with every other, so the time grows with the square: 100,000 rows take minutes."""


def audit(
    source: DataSource,
    predictor: Predictor,
    *,
    splits: Sequence[str] | None = None,
    limit: int | None = None,
    max_length: int = 128,
    seed: int = 12345,
    progress: Progress | None = None,
) -> Audit:
    """Look for what is wrong with a data set of texts or pairs of texts.

    Args:
        source: the data.
        predictor: gives the vectors; its encoder stays as it is.
        splits: those to look at; all if None.
        limit: only the first rows of each split.
        max_length: longest input in tokens; longer texts are reported as cut.
        seed: of the folds that find label errors.
        progress: called with the number of texts just embedded.

    Raises:
        UsageError: data of another task, an unknown split, or more than `MOST_ROWS` rows.
        DataError: no rows, or rows that cannot be used.
        MissingExtraError: cleanlab is not installed.
    """
    started = time.perf_counter()
    if source.task not in TASKS:
        raise UsageError(f"{source.name} is for {source.task}; audit looks at texts with labels or numbers")
    if source.task == "classification":
        import_cleanlab()  # before the long work
    datasets = [source.split(split).take(limit) for split in splits or source.splits]
    rows = [example for dataset in datasets for example in dataset.of(TextExample)]
    if not rows:
        raise DataError(f"{source.name}: there are no rows to look at")
    if len(rows) > MOST_ROWS:
        raise UsageError(
            f"{source.name} has {len(rows):,} rows, and audit compares every text with every other, at most "
            f"{MOST_ROWS:,}; give --limit or one --split"
        )
    places = [
        Place(dataset.split, row, example.text, example.pair, _label(example, dataset.labels))
        for dataset in datasets
        for row, example in enumerate(dataset.of(TextExample))
    ]
    vectors = _vectors(predictor, rows, max_length=max_length, progress=progress)
    words = [
        words_of(one.text) if one.pair is None else (*words_of(one.text), "|", *words_of(one.pair)) for one in rows
    ]
    empty = {
        row
        for row, one in enumerate(rows)
        if not words_of(one.text) or not words_of(one.text if one.pair is None else one.pair)
    }
    pairs, means = compare_all(vectors, [() if row in empty else own for row, own in enumerate(words)])
    notes = [
        f"{dataset.split}: {len(dataset.skipped):,} bad rows were skipped" for dataset in datasets if dataset.skipped
    ]
    return Audit(
        data=source.name,
        task=source.task,
        model=predictor.model.source,
        rows={dataset.split: len(dataset) for dataset in datasets},
        balance=_balance(places),
        label_errors=_label_errors(source, rows, places, vectors, skipped=empty, seed=seed, notes=notes),
        duplicates=tuple(
            Duplicates(tuple(places[row] for row in group), len({places[row].label for row in group} - {None}) > 1)
            for group in groups((one, two) for one, two, _ in pairs if places[one].split == places[two].split)
        ),
        leaks=tuple(
            Leak(places[one], places[two], same) for one, two, same in pairs if places[one].split != places[two].split
        ),
        outliers=tuple(Outlier(places[row], float(means[row])) for row in far_rows(means) if row not in empty),
        empty=tuple(places[row] for row in sorted(empty)),
        cut=_cut(predictor, rows, places, max_length=max_length),
        notes=tuple(notes),
        seconds=time.perf_counter() - started,
    )


def _label(example: TextExample, labels: Sequence[str]) -> str | None:
    if example.label is None:
        return None
    if isinstance(example.label, tuple):
        return ", ".join(labels[one] for one in example.label)
    return labels[int(example.label)] if labels else f"{example.label:g}"


def _vectors(
    predictor: Predictor, rows: Sequence[TextExample], *, max_length: int, progress: Progress | None
) -> npt.NDArray[np.float32]:
    """Return one vector per row; of a pair the vectors of both texts, their distance and their product."""
    first = predictor.embed([one.text for one in rows], max_length=max_length, progress=progress)
    if all(one.pair is None for one in rows):
        return first
    second = predictor.embed([one.pair or "" for one in rows], max_length=max_length, progress=progress)
    return np.concatenate([first, second, np.abs(first - second), first * second], axis=1)


def _label_errors(
    source: DataSource,
    rows: Sequence[TextExample],
    places: Sequence[Place],
    vectors: npt.NDArray[np.float32],
    *,
    skipped: set[int],
    seed: int,
    notes: list[str],
) -> tuple[LabelError, ...]:
    if source.task != "classification":
        notes.append(f"label errors are looked for in classification only; this is {source.task}")
        return ()
    used = [row for row, one in enumerate(rows) if row not in skipped and isinstance(one.label, int)]
    labels = np.array([rows[row].label for row in used], np.int64)
    if np.count_nonzero(np.bincount(labels) > 1) < 2:
        notes.append("label errors were not looked for: fewer than two labels have two rows each")
        return ()
    texts = [rows[row].text if rows[row].pair is None else (rows[row].text, rows[row].pair or "") for row in used]
    return tuple(
        LabelError(places[used[one.row]], source.labels[one.suggested], one.probability)
        for one in label_errors(vectors[used], texts, labels, seed=seed)
    )


def _balance(places: Sequence[Place]) -> dict[str, dict[str, int]]:
    found: dict[str, Counter[str]] = {}
    for place in places:
        if place.label is not None:
            found.setdefault(place.split, Counter())[place.label] += 1
    return {split: dict(counts.most_common()) for split, counts in found.items()}


def _cut(
    predictor: Predictor, rows: Sequence[TextExample], places: Sequence[Place], *, max_length: int
) -> tuple[Cut, ...]:
    tokenizer = predictor.model.tokenizer
    texts = [one.text for one in rows]
    pairs = None if all(one.pair is None for one in rows) else [one.pair or "" for one in rows]
    sequences = tokenizer.sequences(texts, pairs, max_length=max_length)
    return tuple(Cut(places[row], one.truncated) for row, one in enumerate(sequences) if one.truncated)
