"""A user's own data: one table, or a folder with tables named train, dev (or validation) and test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from albertkit.data.examples import TextExample
from albertkit.datasets.columns import choose_label, choose_texts, require_column
from albertkit.datasets.dataset import SPLIT_ALIASES, TASKS, WHOLE, Dataset, DataSource
from albertkit.datasets.labels import (
    collect_labels,
    holds_list_texts,
    infer_task,
    is_missing,
    numbers_with_commas,
    parse_label,
    unreadable_list,
    zeros_and_ones,
)
from albertkit.datasets.rows import BadRows, RowWarnings, checked_text
from albertkit.datasets.table_files import TABLE_ENDINGS, is_table, open_table
from albertkit.errors import DataError, UsageError, did_you_mean

ID_COLUMN = "id"
"""Column taken as the rows' own names, where it is there and for nothing else."""

METRICS = {
    "classification": ("accuracy", "f1"),
    "multilabel": ("f1", "accuracy"),
    "regression": ("pearson", "spearman"),
}
"""Metrics of a table by its task."""


@dataclass(frozen=True)
class TableOptions:
    """How to read a table; what is None is found out."""

    text_column: str | None = None
    """Column of the (first) text."""
    pair_column: str | None = None
    """Column of the second text."""
    label_column: str | None = None
    """Column of the label."""
    task: str | None = None
    """classification, regression or multilabel."""
    labels: tuple[str, ...] | None = None
    """Names of the classes in the order of their indices; otherwise those of the first split, sorted."""
    labelled: bool = True
    """Whether labels are read; False for texts to predict."""
    skip_bad_rows: bool = False
    """Whether to count rows that cannot be used and go on, instead of an error."""
    encoding: str | None = None
    """Of text files; their byte order mark says it, else they are UTF-8, if None."""

    def __post_init__(self) -> None:
        if self.task is not None and self.task not in TASKS:
            raise UsageError(f'unknown task "{self.task}"{did_you_mean(self.task, TASKS)} (known: {", ".join(TASKS)})')


@dataclass(frozen=True)
class _Read:
    """One file with its labels as they stand in it."""

    where: str
    label_column: str | None
    rows: list[tuple[str, TextExample, Any]]
    bad: BadRows
    warnings: tuple[str, ...]


def open_tables(path: Path, *, options: TableOptions) -> DataSource:
    """Open a table (its one split is "train", also called "all") or a folder of tables named by split.

    Args:
        path: a file that ends in .csv, .tsv, .jsonl or .parquet, or a folder with train, dev or validation, test.
        options: columns, task and labels.

    Raises:
        DataError: the file or folder is not there, a column is missing, or rows of the first split cannot be used.
        MissingExtraError: Parquet without pyarrow.
    """
    files = _split_files(path) if path.is_dir() else {"train": path}
    first = next(iter(files))
    read = _read(files[first], options)  # the labels are those of the training file
    values = [value for _, _, value in read.rows if options.labelled]
    task = options.task or infer_task(values)
    if options.task is None and options.labels and task == "regression":
        task = "classification"  # classes were named, so "1.5" is the name of one
    if options.task in (None, "multilabel") and options.labels is None:
        _require_readable(read, values)
    if options.task is None and options.labels is None:
        _require_one_meaning(read, values)
    if task == "multilabel" and options.labels is None:
        _require_names(read, values)
    if options.labels is None or task == "regression":
        labels = collect_labels(values, task=task)
    else:
        labels = options.labels
    kept: dict[str, Dataset] = {}

    def load(split: str) -> Dataset:
        if split not in kept:
            source = read if split == first else _read(files[split], options)
            # A test file without its labels is the usual thing; a forgotten column elsewhere is a mistake.
            if source.label_column is None and options.labelled and not (split == "test" and len(files) > 1):
                columns = open_table(files[split], encoding=options.encoding).columns
                require_column(columns, options.label_column, where=source.where, use="label")
            kept[split] = _dataset(source, Dataset(str(path), split, task, labels, METRICS[task], []), options)
        return kept[split]

    load(first)
    hint = f" (a file {path / 'SPLIT'}.csv would be it)" if path.is_dir() else " (a single table has the split train)"
    aliases = {WHOLE: "train"} if len(files) == 1 else {}
    return DataSource(str(path), task, labels, METRICS[task], tuple(files), load, aliases=aliases, hint=hint)


def _require_readable(read: _Read, values: Sequence[Any]) -> None:
    text = unreadable_list(values)
    if text is not None:
        raise DataError(
            f'{read.where}: column "{read.label_column}" holds what looks like lists, but {text!r:.60} cannot be read '
            "as one; write lists whole and with quotes, ['a', 'b'], or pass --task classification to take each text "
            "as a name"
        )


def _require_one_meaning(read: _Read, values: Sequence[Any]) -> None:
    text = numbers_with_commas(values)
    if text is not None:
        raise DataError(
            f'{read.where}: column "{read.label_column}" holds numbers with commas, such as {text!r:.60}, which may be '
            "several labels or one name; pass --task multilabel to read several labels per row, or --task "
            "classification to take each text as a name"
        )


def _require_names(read: _Read, values: Sequence[Any]) -> None:
    count = zeros_and_ones(values)
    if count:
        raise DataError(
            f'{read.where}: column "{read.label_column}" holds lists of {count} zeros and ones, which do not name the '
            f"labels; name them in their order with --labels {','.join('abcdefghij'[:count])}{',...' * (count > 10)} "
            f"(labels=[...] in Python){'; a number has a decimal point (0.1)' * (count == 2)}"
        )


def _split_files(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for file in sorted(folder.iterdir()):
        split = SPLIT_ALIASES.get(file.stem, file.stem)
        if not is_table(file) or split not in ("train", "dev", "test"):
            continue
        if split in found:
            raise DataError(f"{folder}: both {found[split].name} and {file.name} would be the split {split}; keep one")
        found[split] = file
    if not found:
        raise DataError(
            f"{folder}: no table named train, dev, validation or test in it ({', '.join(TABLE_ENDINGS)}); "
            "name the files so, or give one file"
        )
    if len({file.suffix.lower() for file in found.values()}) > 1:
        raise DataError(
            f"{folder}: {', '.join(file.name for file in found.values())} are not of one kind; make them so"
        )
    return {split: found[split] for split in ("train", "dev", "test") if split in found}


def _read(path: Path, options: TableOptions) -> _Read:
    table = open_table(path, encoding=options.encoding)
    text, pair = choose_texts(
        table.columns, where=table.where, text_column=options.text_column, pair_column=options.pair_column
    )
    label = None
    if options.labelled:
        label = choose_label(table.columns, where=table.where, label_column=options.label_column)
    key = next((name for name in table.columns if name.lower() == ID_COLUMN and name not in (text, pair, label)), None)
    names = [name for name in (text, pair, key, label) if name is not None]
    bad = BadRows(table.where, skip=options.skip_bad_rows)
    warnings = RowWarnings(table.where)
    rows = []
    for place, values in table.rows(names, bad):
        try:
            example = TextExample(
                checked_text(values[0], column=text),
                pair=None if pair is None else checked_text(values[1], column=pair),
                id=None if key is None else _id(values[names.index(key)]),
            )
            rows.append((place, example, values[-1] if label is not None else None))
            if not example.text.strip():
                warnings.add("texts are empty", place)
        except ValueError as error:
            bad.add(place, str(error))
    notes = [*table.warnings, *warnings.close()]
    if label is not None and options.task is None and holds_list_texts(value for _, _, value in rows):
        notes.append(
            f'{table.where}: column "{label}" holds lists written as text, which are read as several labels per row; '
            "--task classification takes each as one name"
        )
    return _Read(table.where, label, rows, bad, tuple(notes))


def _id(value: Any) -> str | None:
    # Names are a convenience, so whatever is no name is none; nothing is refused.
    return str(value).strip() or None if isinstance(value, str | int) and not isinstance(value, bool) else None


def _dataset(read: _Read, empty: Dataset, options: TableOptions) -> Dataset:
    examples = []
    bad = BadRows(read.where, skip=options.skip_bad_rows)
    for place, example, value in read.rows:
        try:
            if read.label_column is None:
                examples.append(example)
            elif is_missing(value) and empty.task != "multilabel":
                raise ValueError(f'the label in column "{read.label_column}" is missing ({value!r})')
            else:
                examples.append(replace(example, label=parse_label(value, task=empty.task, labels=empty.labels)))
        except ValueError as error:
            bad.add(place, str(error))
    skipped = read.bad.close() + bad.close()
    if not examples:
        raise DataError(f"{read.where}: no row that can be used ({len(skipped)} bad rows); the table needs rows")
    return replace(empty, examples=examples, skipped=skipped, warnings=read.warnings)
