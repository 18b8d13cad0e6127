"""A user's own data: one table, or tables named train, dev (or validation) and test; files or in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from albertkit.data.columns import POSITIVE, choose_label, choose_negatives, choose_texts, require_column
from albertkit.data.examples import TextExample
from albertkit.data.frames import frame_of
from albertkit.data.texts import is_gap
from albertkit.datasets.dataset import SPLIT_ALIASES, Dataset, DataSource, with_rows
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
from albertkit.datasets.lines import Slice
from albertkit.datasets.own_files import SPLITS, ReadOptions, own_source, split_files
from albertkit.datasets.rows import BadRows, RowWarnings, checked_text
from albertkit.datasets.table_files import Table, TableRow, open_table
from albertkit.errors import DataError
from albertkit.hub.hub_names import HUGGING_FACE

ID_COLUMN = "id"
"""Column taken as the rows' own names, where it is there and for nothing else."""

METRICS = {
    "classification": ("accuracy", "f1"),
    "multilabel": ("f1", "accuracy"),
    "regression": ("pearson", "spearman"),
}
"""Metrics of a table by its task."""


@dataclass(frozen=True)
class _Read:
    """One table with its labels as they are in it."""

    where: str
    columns: tuple[str, ...]
    label_column: str | None
    """That of the positive where the two texts of each row just belong together."""
    belongs: bool
    """Whether they do."""
    rows: list[tuple[str, TextExample, Any]]
    bad: BadRows
    warnings: tuple[str, ...]


def open_tables(path: Path | str, *, options: ReadOptions, tables: Mapping[str, Table] | None = None) -> DataSource:
    """Open a table (its one split is "train", also called "all") or a folder of tables named by split.

    Args:
        path: a file that ends in .csv, .tsv, .jsonl, .parquet or .xlsx, or a folder with train, dev or validation,
            test; or the name of `tables`.
        options: columns, task and labels.
        tables: open tables by split, instead of files.

    Raises:
        DataError: the file or folder is not there, a column is missing, or rows of the first split cannot be used.
        MissingExtraError: Parquet without pyarrow, .xlsx without openpyxl.
    """
    return _source(path, tables or split_files(Path(path)), options)


def frame_tables(data: Any, *, name: str, advice: str = "") -> dict[str, Table]:
    """Return tables in memory by split, train first; a single one is the split train.

    Args:
        data: a table of pandas, polars, pyarrow, Hugging Face datasets or another library that speaks Arrow, or a
            dictionary such as Hugging Face's DatasetDict.
        name: what messages call the data.
        advice: how the error about rows that cannot be used ends.

    Raises:
        DataError: no table.
        MissingExtraError: a table that only pyarrow can read.
    """
    advice = advice or "repair or drop such rows (counted from 0), or pass skip_bad_rows=True"
    given = data if isinstance(data, Mapping) else {"train": data}
    tables = {SPLIT_ALIASES.get(split, split): _frame_table(each, split, name, advice) for split, each in given.items()}
    if not tables:
        raise DataError(f"{name} is empty; give a table, or a dictionary such as {{'train': table, 'test': table}}")
    order = sorted(tables, key=lambda split: SPLITS.index(split) if split in SPLITS else len(SPLITS))
    return {split: tables[split] for split in order}


def _frame_table(value: Any, split: str, name: str, advice: str) -> Table:
    kind = type(value).__name__
    where = name if kind == name else f"{name} {split}" if name.startswith(HUGGING_FACE) else f"{kind} {split}"
    frame = frame_of(value, name=where)
    if frame is None:
        raise DataError(
            f"data is a {where}; give a known name, a path, a table (pandas, polars, pyarrow, Hugging Face datasets), "
            "or a dictionary of tables by split"
        )

    def rows(
        names: Sequence[str], bad: BadRows, *, optional: Sequence[str] = (), part: Slice | None = None
    ) -> Iterator[TableRow]:
        del bad
        assert part is None
        columns = [frame.column(each) for each in (*names, *optional)]
        for number, row in enumerate(zip(*columns, strict=True)):
            yield f"row {number}", [None if is_gap(cell) else cell for cell in row]

    return Table(where, frame.names, rows, advice=advice)


def _source(path: Path | str, files: Mapping[str, Path | Table], options: ReadOptions) -> DataSource:
    """Return the data set of some files or tables by split."""
    first = next(iter(files))
    # The labels are those of the training file.
    read = _read(open_table(files[first], encoding=options.encoding), options)
    values = [value for _, _, value in read.rows if options.labelled]
    if read.belongs and options.task not in (None, "regression"):
        raise DataError(
            f'{read.where}: the texts of column "{read.label_column}" belong to the others and have no label, so they '
            f"train vectors, not {options.task}; pass --task similarity"
        )
    task = options.task or ("regression" if read.belongs else infer_task(values))
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
    kept: dict[Any, Dataset] = {}

    def load(file: Any, empty: Dataset, may_lack_label: bool) -> Dataset:
        if file not in kept:
            source = read if file is files[first] else _read(open_table(file, encoding=options.encoding), options)
            # A test file without its labels is the usual thing; a forgotten column elsewhere is a mistake.
            if source.label_column is None and options.labelled and not may_lack_label:
                _require_label(source, options)
            if may_lack_label and all(is_missing(value) for _, _, value in source.rows):  # -1 in all rows on the hub
                source = replace(source, label_column=None)
            kept[file] = _dataset(source, empty, options)
        return kept[file]

    found = own_source(path, load, task=task, labels=labels, metrics=METRICS[task], files=files)
    found.load(first)
    return found


def _require_label(read: _Read, options: ReadOptions) -> None:
    try:
        require_column(read.columns, options.label_column, where=read.where, use="label")
    except DataError as error:
        if not read.rows or read.rows[0][1].pair is None:
            raise
        raise DataError(
            f'{error}, or call the column of the second text "{POSITIVE}" if the two texts of each row belong together'
        ) from None


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


def _read(table: Table, options: ReadOptions) -> _Read:
    text, pair = choose_texts(
        table.columns, where=table.where, text_column=options.text_column, pair_column=options.pair_column
    )
    label = None
    if options.labelled:
        label = choose_label(table.columns, where=table.where, label_column=options.label_column)
    key = next((name for name in table.columns if name.lower() == ID_COLUMN and name not in (text, pair, label)), None)
    negatives, belongs = _negatives(table, pair, label) if options.labelled else ((), False)
    names = [name for name in (text, pair, *negatives, key, label) if name is not None]
    bad = BadRows(table.where, skip=options.skip_bad_rows, advice=table.advice)
    warnings = RowWarnings(table.where)
    rows = []
    for place, values in table.rows(names, bad):
        try:
            example = TextExample(
                checked_text(values[0], column=text),
                pair=None if pair is None else checked_text(values[1], column=pair),
                id=None if key is None else _id(values[names.index(key)]),
                negatives=tuple(checked_text(values[names.index(name)], column=name) for name in negatives),
            )
            for name, words in zip((pair, *negatives), (example.pair, *example.negatives), strict=True):
                if negatives and not (words or "").strip():
                    raise ValueError(f'column "{name}" is empty, and a triplet needs each of its texts')
            if example.pair in example.negatives:
                warnings.add("negatives are the same text as their positive, so they are left out of the loss", place)
            rows.append((place, example, 1.0 if belongs else values[-1] if label is not None else None))
            if not example.text.strip():
                warnings.add("texts are empty", place)
        except ValueError as error:
            bad.add(place, str(error))
    notes = [*table.warnings, *warnings.close()]
    if label is not None and options.task is None and holds_list_texts(value for _, _, value in rows):
        notes.append(
            f'{table.where}: column "{label}" holds lists written as text, which are read as several labels per row; '
            "pass --task classification to read each as one name"
        )
    return _Read(table.where, table.columns, pair if belongs else label, belongs, rows, bad, tuple(notes))


def _negatives(table: Table, pair: str | None, label: str | None) -> tuple[tuple[str, ...], bool]:
    """Return the columns of negatives, and whether the two texts of each row just belong together.

    Raises:
        DataError: triplets with a label.
    """
    negatives = () if pair is None else choose_negatives(table.columns)
    is_positive = pair is not None and pair.lower() == POSITIVE
    if is_positive and negatives and label is not None:
        raise DataError(
            f'{table.where}: columns "{negatives[0]}" and "{label}": a triplet has no label; leave one of the two out'
        )
    belongs = label is None and (is_positive or bool(negatives))
    return negatives if belongs else (), belongs


def _id(value: Any) -> str | None:
    # Names are a convenience, so whatever is no name is none; nothing is refused.
    return str(value).strip() or None if isinstance(value, str | int) and not isinstance(value, bool) else None


def _dataset(read: _Read, empty: Dataset, options: ReadOptions) -> Dataset:
    examples = []
    bad = BadRows(read.where, skip=options.skip_bad_rows, advice=read.bad.advice)
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
    before = read.bad.close()
    found = with_rows(examples, empty=replace(empty, warnings=read.warnings), bad=bad)
    return replace(found, skipped=before + found.skipped)
