"""SICK (Marelli et al., 2014): pairs of sentences with relatedness from 1 to 5 and entailment, as at SemEval-2014."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from albertkit.datasets.archive import SourceFile
from albertkit.datasets.dataset import Dataset, DataSource
from albertkit.datasets.published import find_published, read_pairs
from albertkit.datasets.rows import BadRows, decode_text, split_lines
from albertkit.errors import DataError

_FILES = {"train": "SICK_train.txt", "dev": "SICK_trial.txt", "test": "SICK_test_annotated.txt"}
_FOLDERS = ("sick", "sick2014")
_TEXTS = ("pair_ID", "sentence_A", "sentence_B")
LABELS = ("CONTRADICTION", "ENTAILMENT", "NEUTRAL")
"""In MNLI's order, spelled as in the files."""
# Name -> column, task, labels, metrics of the shared task (which also gave the mean squared error of relatedness).
_TASKS: Mapping[str, tuple[str, str, tuple[str, ...], tuple[str, ...]]] = {
    "sick/relatedness": ("relatedness_score", "regression", (), ("pearson", "spearman")),
    "sick/entailment": ("entailment_judgment", "classification", LABELS, ("accuracy",)),
}


def open_sick(name: str, *, data_dir: Path | None = None, skip_bad_rows: bool = False) -> DataSource:
    """Open one of the two tasks.

    Args:
        name: "sick/relatedness" or "sick/entailment".
        data_dir: the folder of the three files, one that holds it, or an archive of it.
        skip_bad_rows: count rows that cannot be used and go on, instead of an error.

    Raises:
        UsageError: `data_dir` is None.
        DataError: no file of the data set is there.
    """
    _, task, labels, metrics = _TASKS[name]
    found = find_published(
        name,
        data_dir,
        files={split: (file,) for split, file in _FILES.items()},
        folders=_FOLDERS,
        give=f"the folder of {', '.join(_FILES.values())} (from https://alt.qcri.org/semeval2014/task1/)",
    )
    load = partial(_load, name, found.files, skip_bad_rows)
    return DataSource(name, task, labels, metrics, tuple(found.files), load, aliases={"trial": "dev"}, hint=found.hint)


def _load(name: str, files: Mapping[str, SourceFile], skip_bad_rows: bool, split: str) -> Dataset:
    where = files[split].where
    column, task, labels, metrics = _TASKS[name]
    (_, header), *lines = split_lines(decode_text(files[split].read(), where=where)) or [(1, "")]
    columns = header.split("\t")
    missing = [f'"{one}"' for one in (*_TEXTS, column) if one not in columns]
    if missing:
        raise DataError(f"{where}, line 1: no column {' and '.join(missing)}; is it SICK's file?")
    key, first, second = _TEXTS
    empty = Dataset(name, split, task, labels, metrics, [])
    bad = BadRows(where, skip=skip_bad_rows)
    return read_pairs(lines, columns, text=first, pair=second, label=column, key=key, empty=empty, bad=bad)
