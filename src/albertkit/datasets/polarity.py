"""Sentence polarity data set v1.0 (Pang and Lee, 2005), which comes with albertkit: 10,662 movie-review snippets.

The asset holds the snippets as published, without blanks at their ends, the negative ones first. The data set has no
official split. Our split: the snippets of each label are sorted by their SHA-256; the first 80 % are train, the
next 10 % dev, the last 10 % test; then each split is shuffled by the same order. Equal snippets have equal hashes, so
they are next to each other; a pair at a border goes to the earlier split.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from functools import partial
from importlib import resources
from pathlib import Path

from albertkit.data.examples import TextExample
from albertkit.datasets.archive import find_files
from albertkit.datasets.dataset import Dataset, DataSource, hash_order
from albertkit.datasets.rows import decode_text, split_lines
from albertkit.errors import DataError

LABELS = ("negative", "positive")
_FILES = ("rt-polarity.neg", "rt-polarity.pos")
_FOLDERS = ("sentence_polarity", "rt_polarity", "rt-polaritydata")
_SPLITS = ("train", "dev", "test")
_METRICS = ("accuracy",)


def open_polarity(name: str, *, data_dir: Path | None = None, skip_bad_rows: bool = False) -> DataSource:
    """Open the snippets that come with albertkit, or a local copy of the published files.

    Args:
        name: the data set's name, "polarity".
        data_dir: a folder (or an archive of one) with rt-polarity.neg and rt-polarity.pos; the shipped copy if None.
        skip_bad_rows: no row can be bad here.

    Raises:
        DataError: a file of `data_dir` is missing or is not UTF-8.
    """
    del skip_bad_rows
    snippets = _shipped() if data_dir is None else _published(data_dir)
    return DataSource(name, "classification", LABELS, _METRICS, _SPLITS, partial(_load, name, snippets))


def _load(name: str, snippets: Mapping[str, Sequence[str]], split: str) -> Dataset:
    rows = [
        TextExample(text, label=LABELS.index(label), id=f"{label}/{number}")
        for label in LABELS
        for number, text in _divide(snippets[label])[split]
    ]
    examples = hash_order(rows, key=lambda row: row.text)
    return Dataset(name, split, "classification", LABELS, _METRICS, examples)


def _divide(snippets: Sequence[str]) -> dict[str, list[tuple[int, str]]]:
    """Split name -> (number of the snippet from 1, snippet)."""
    ordered = hash_order(enumerate(snippets, start=1), key=lambda row: row[1])
    tenth = len(ordered) // 10
    borders = [len(ordered) - 2 * tenth, len(ordered) - tenth]
    for index, border in enumerate(borders):
        while 0 < border < len(ordered) and ordered[border][1] == ordered[border - 1][1]:
            border += 1
        borders[index] = border
    train_end, dev_end = borders
    return {"train": ordered[:train_end], "dev": ordered[train_end:dev_end], "test": ordered[dev_end:]}


def _shipped() -> dict[str, list[str]]:
    asset = resources.files("albertkit") / "assets" / "polarity.tsv.gz"
    snippets: dict[str, list[str]] = {label: [] for label in LABELS}
    for _, line in split_lines(gzip.decompress(asset.read_bytes()).decode("utf-8")):
        label, _, text = line.partition("\t")
        snippets[label].append(text)
    return snippets


def _published(data_dir: Path) -> dict[str, list[str]]:
    found = find_files(data_dir, folders=_FOLDERS, names=_FILES)
    missing = [file for file in _FILES if file not in found]
    if missing:
        raise DataError(
            f"polarity: {' and '.join(missing)} not found under {data_dir}; give the folder of the published files, "
            "or leave --data-dir out, since albertkit ships them"
        )
    return {
        label: [
            line.strip()
            for _, line in split_lines(decode_text(found[file].read(), where=found[file].where))
            if line.strip()
        ]
        for label, file in zip(LABELS, _FILES, strict=True)
    }
