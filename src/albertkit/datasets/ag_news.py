"""AG's News topic classification data set (Zhang et al., 2015): a class from 1, a title and a description a row.

The text is title and description with a blank between, as Zhang et al. and the Hugging Face hub have it. The files are
CSV without a header; one that names its columns (label or class index, title, description) is read as well.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from albertkit.data.examples import TextExample
from albertkit.datasets.archive import SourceFile
from albertkit.datasets.dataset import Dataset, DataSource, with_rows
from albertkit.datasets.labels import label_index
from albertkit.datasets.published import find_published
from albertkit.datasets.rows import BadRows, checked_text, decode_text, split_lines
from albertkit.errors import DataError
from albertkit.io.counts import counted_noun

LABELS = ("World", "Sports", "Business", "Sci/Tech")
"""The lines of the published classes.txt."""
_METRICS = ("accuracy",)
_FILES = {"train": "train.csv", "test": "test.csv", "train_subset": "train_subset_alps_dev.tsv"}
"""Split -> file. train_subset: 10,001 descriptions of train with the names of their classes, by github.com/
forest-snow/alps, under the name it has where train itself (29 MB) is not to be had."""
_FOLDERS = ("ag_news", "ag_news_csv", "agnews")


def open_ag_news(name: str, *, data_dir: Path | None = None, skip_bad_rows: bool = False) -> DataSource:
    """Open the news.

    Args:
        name: the data set's name, "ag_news".
        data_dir: the folder of train.csv and test.csv, one that holds it, or an archive of it.
        skip_bad_rows: count rows that cannot be used and continue, instead of an error.

    Raises:
        UsageError: `data_dir` is None.
        DataError: no file of the data set is there.
    """
    found = find_published(
        name,
        data_dir,
        files={split: (file,) for split, file in _FILES.items()},
        folders=_FOLDERS,
        give="the folder ag_news_csv (train.csv, test.csv)",
        optional=["train_subset"],
    )
    load = partial(_load, name, found.files, skip_bad_rows)
    return DataSource(name, "classification", LABELS, _METRICS, tuple(found.files), load, hint=found.hint)


def _load(name: str, files: Mapping[str, SourceFile], skip_bad_rows: bool, split: str) -> Dataset:
    where = files[split].where
    text = decode_text(files[split].read(), where=where)
    bad = BadRows(where, skip=skip_bad_rows)
    rows = _described(text, bad) if split == "train_subset" else _published(text, where, bad)
    examples = []
    for place, words, label in rows:
        try:
            index = label_index(label, labels=LABELS)
            examples.append(TextExample(checked_text(words, column="text"), label=index))
        except ValueError as error:
            bad.add(place, str(error))
    return with_rows(examples, empty=Dataset(name, split, "classification", LABELS, _METRICS, []), bad=bad)


def _described(text: str, bad: BadRows) -> Iterator[tuple[str, str, str]]:
    for number, line in split_lines(text):
        words, tab, label = line.rpartition("\t")
        if tab:
            yield f"line {number}", words, label
        else:
            bad.add(f"line {number}", "1 column instead of 2")


def _published(text: str, where: str, bad: BadRows) -> Iterator[tuple[str, str, str]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        place = f"line {reader.line_num + 1}"
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise DataError(f"{where}, {place}: not CSV ({error}); get a new copy of the file") from error
        if cells is None:
            return
        if not cells or (place == "line 1" and cells[0].strip().lower() in ("label", "class", "class index")):
            continue
        number = cells[0].strip()
        if len(cells) != 3:
            bad.add(place, f"{counted_noun(len(cells), 'column')} instead of 3")
        elif number not in ("1", "2", "3", "4"):
            bad.add(place, f'the class is "{number:.20}", not a number from 1 to 4')
        else:
            yield place, f"{cells[1]} {cells[2]}", LABELS[int(number) - 1]
