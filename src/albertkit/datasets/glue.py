"""GLUE: nine tasks in the layout of the official download script, told by one table.

Columns are found by name; files without a header have the names of `columns`. Quotes are ordinary characters in all
files. Labels keep their spelling in the files, and their order that of Google's code (MNLI has contradiction first).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from albertkit.datasets.archive import SourceFile, find_files
from albertkit.datasets.dataset import Dataset, DataSource
from albertkit.datasets.published import find_published, read_pairs
from albertkit.datasets.rows import BadRows, decode_text, split_lines
from albertkit.errors import DataError, UsageError, did_you_mean

_FILES = {"train": "train.tsv", "dev": "dev.tsv", "test": "test.tsv"}
_MNLI_FILES = {
    "train": "train.tsv",
    "dev": "dev_matched.tsv",
    "dev_mismatched": "dev_mismatched.tsv",
    "test": "test_matched.tsv",
    "test_mismatched": "test_mismatched.tsv",
}


@dataclass(frozen=True)
class GlueTask:
    """The files of one task and what their columns mean."""

    folder: str
    """Name of the task's folder."""
    text: str
    """Column of the first text."""
    pair: str | None
    """Column of the second text."""
    label: str
    """Column of the label, absent in test files."""
    labels: tuple[str, ...]
    """Classes in the order of their indices, as the files spell them; empty for regression."""
    metrics: tuple[str, ...]
    """The benchmark's own metrics, the main one first."""
    task: str = "classification"
    """classification or regression."""
    files: Mapping[str, str] = field(default_factory=lambda: _FILES)
    """Split -> file."""
    columns: tuple[str, ...] = ()
    """Column names of the files without a header."""
    headerless: tuple[str, ...] = ()
    """Splits whose files have no header."""
    counts_bad_rows: bool = False
    """Whether broken rows are part of the published files; if so, they are counted and skipped."""


_BINARY = ("0", "1")
_ENTAILMENT = ("entailment", "not_entailment")
TASKS: Mapping[str, GlueTask] = {
    "cola": GlueTask(
        "CoLA", "sentence", None, "label", _BINARY, ("mcc",),
        columns=("source", "label", "mark", "sentence"), headerless=("train", "dev"),
    ),
    "sst2": GlueTask("SST-2", "sentence", None, "label", _BINARY, ("accuracy",)),
    "mrpc": GlueTask("MRPC", "#1 String", "#2 String", "Quality", _BINARY, ("accuracy", "f1")),
    "stsb": GlueTask("STS-B", "sentence1", "sentence2", "score", (), ("pearson", "spearman"), task="regression"),
    "qqp": GlueTask(
        "QQP", "question1", "question2", "is_duplicate", _BINARY, ("accuracy", "f1"),
        files={**_FILES, "dev_partial": "dev_partial.tsv"},
        columns=("id", "qid1", "qid2", "question1", "question2", "is_duplicate"), headerless=("dev_partial",),
        counts_bad_rows=True,
    ),
    "mnli": GlueTask(
        "MNLI", "sentence1", "sentence2", "gold_label", ("contradiction", "entailment", "neutral"), ("accuracy",),
        files=_MNLI_FILES,
    ),
    "qnli": GlueTask("QNLI", "question", "sentence", "label", _ENTAILMENT, ("accuracy",)),
    "rte": GlueTask("RTE", "sentence1", "sentence2", "label", _ENTAILMENT, ("accuracy",)),
    "wnli": GlueTask("WNLI", "sentence1", "sentence2", "label", _BINARY, ("accuracy",)),
}  # fmt: skip
"""The nine tasks."""

DIAGNOSTICS = GlueTask(
    "AX", "sentence1", "sentence2", "gold_label", TASKS["mnli"].labels, ("mcc",), files={"test": "diagnostic.tsv"}
)
"""GLUE's diagnostics: pairs for a model of MNLI, without labels."""


def open_glue(name: str, *, data_dir: Path | None = None, skip_bad_rows: bool = False) -> DataSource:
    """Open one task.

    Args:
        name: "glue/" and a key of `TASKS`.
        data_dir: GLUE's folder, the one that holds it, the task's own folder, or an archive of one of these.
        skip_bad_rows: count rows that cannot be used and continue, instead of an error (always so for QQP).

    Raises:
        UsageError: there is no such task, or `data_dir` is None.
        DataError: no file of the task is there.
    """
    known = [f"glue/{task}" for task in TASKS]
    if name not in known:
        raise UsageError(f'unknown GLUE task "{name}"{did_you_mean(name, known)} (known: {", ".join(known)})')
    task = TASKS[name.removeprefix("glue/")]
    first = f"{task.folder}/{next(iter(task.files.values()))}"
    found = find_published(
        name,
        data_dir,
        files={split: (file,) for split, file in task.files.items()},
        folders=[task.folder],
        give=f"GLUE's folder ({first}, ...)",
        fetch=f", or fetch it with albertkit download {name}",
        place=f"{task.folder}/",
    )
    return DataSource(
        name,
        task.task,
        task.labels,
        task.metrics,
        tuple(found.files),
        partial(_load, name, task, found.files, skip_bad_rows or task.counts_bad_rows),
        aliases={Path(file).stem: split for split, file in task.files.items() if Path(file).stem != split},
        hint=found.hint,
    )


def open_diagnostics(data_dir: Path) -> DataSource:
    """Open the diagnostics, AX, which a model of MNLI predicts: one split, `test`, without labels.

    Args:
        data_dir: GLUE's folder, the one that holds it, the diagnostics' own folder (diagnostic, in the official
            layout, or AX), or an archive of one of these.

    Raises:
        DataError: the file is not there.
    """
    names = list(DIAGNOSTICS.files.values())
    found = find_files(data_dir, folders=["diagnostic", "diagnostics", DIAGNOSTICS.folder], names=names)
    if not found:
        raise DataError(f"the diagnostics (AX): no diagnostic/{names[0]} under {data_dir}")
    there = {split: found[file] for split, file in DIAGNOSTICS.files.items()}
    return DataSource(
        "glue/ax",
        DIAGNOSTICS.task,
        DIAGNOSTICS.labels,
        DIAGNOSTICS.metrics,
        tuple(there),
        partial(_load, "glue/ax", DIAGNOSTICS, there, False),
    )


def _load(name: str, task: GlueTask, files: Mapping[str, SourceFile], skip_bad_rows: bool, split: str) -> Dataset:
    where = files[split].where
    lines = split_lines(decode_text(files[split].read(), where=where))
    if not lines:
        raise DataError(f"{where}: the file is empty; get a new copy of it")
    if split in task.headerless:
        columns = list(task.columns)
    else:
        columns = lines.pop(0)[1].split("\t")
    _require_columns(task, split, columns, where)
    return read_pairs(
        lines,
        columns,
        text=task.text,
        pair=task.pair,
        label=task.label if task.label in columns else None,
        key=next((column for column in ("index", "id") if column in columns), None),
        empty=Dataset(name, split, task.task, task.labels, task.metrics, []),
        bad=BadRows(where, skip=skip_bad_rows),
    )


def _require_columns(task: GlueTask, split: str, columns: list[str], where: str) -> None:
    needed = [task.text, *([task.pair] if task.pair else []), *([] if split.startswith("test") else [task.label])]
    missing = [f'"{column}"' for column in needed if column not in columns]
    if missing:
        raise DataError(
            f"{where}, line 1: no column {' and '.join(missing)} (there are: {', '.join(columns)}); "
            f"is it {task.folder}'s file?"
        )
