"""SICK (Marelli et al., 2014): pairs of sentences with relatedness from 1 to 5 and entailment, as at SemEval-2014."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from albertkit.data.examples import TextExample
from albertkit.datasets.archive import SourceFile, find_files
from albertkit.datasets.dataset import Dataset, DataSource
from albertkit.datasets.labels import parse_label
from albertkit.datasets.rows import BadRows, decode_text, split_lines
from albertkit.errors import DataError, UsageError

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
    wanted = ", ".join(_FILES.values())
    if data_dir is None:
        raise UsageError(
            f"{name} does not come with albertkit: give --data-dir with the folder of {wanted} "
            "(from https://alt.qcri.org/semeval2014/task1/) or an archive of it"
        )
    found = find_files(data_dir, folders=_FOLDERS, names=list(_FILES.values()))
    there = {split: found[file] for split, file in _FILES.items() if file in found}
    if not there:
        raise DataError(f"{name}: none of {wanted} under {data_dir}; give the folder that holds them")
    _, task, labels, metrics = _TASKS[name]
    missing = ", ".join(file for file in _FILES.values() if file not in found)
    load = partial(_load, name, there, skip_bad_rows)
    hint = f" (not under {data_dir}: {missing})" if missing else ""
    return DataSource(name, task, labels, metrics, tuple(there), load, aliases={"trial": "dev"}, hint=hint)


def _load(name: str, files: Mapping[str, SourceFile], skip_bad_rows: bool, split: str) -> Dataset:
    where = files[split].where
    column, task, labels, metrics = _TASKS[name]
    (_, header), *lines = split_lines(decode_text(files[split].read(), where=where)) or [(1, "")]
    columns = header.split("\t")
    missing = [f'"{one}"' for one in (*_TEXTS, column) if one not in columns]
    if missing:
        raise DataError(f"{where}, line 1: no column {' and '.join(missing)}; is it SICK's file?")
    key, first, second, label = (columns.index(one) for one in (*_TEXTS, column))
    bad = BadRows(where, skip=skip_bad_rows)
    examples = []
    for number, line in lines:
        cells = line.split("\t")
        try:
            if len(cells) != len(columns):
                raise ValueError(f"{len(cells)} columns instead of {len(columns)}")
            value = parse_label(cells[label], task=task, labels=labels)
            examples.append(TextExample(cells[first], pair=cells[second], label=value, id=cells[key]))
        except ValueError as error:
            bad.add(f"line {number}", str(error))
    skipped = bad.close()
    if not examples:
        raise DataError(f"{where}: not one row of the file can be used ({len(skipped)} bad rows); get a new copy of it")
    return Dataset(name, split, task, labels, metrics, examples, skipped)
