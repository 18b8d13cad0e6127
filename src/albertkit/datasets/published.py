"""Data sets in their published layouts: which file is which split, and rows of tab-separated columns."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from albertkit.data.examples import TextExample
from albertkit.datasets.archive import SourceFile, find_files
from albertkit.datasets.csv_files import CsvRecord
from albertkit.datasets.dataset import Dataset, with_rows
from albertkit.datasets.labels import parse_label
from albertkit.datasets.rows import BadRows
from albertkit.datasets.table_files import delimited_rows
from albertkit.errors import DataError, UsageError


class Published(NamedTuple):
    """The files of a data set that are there."""

    files: Mapping[str, SourceFile]
    """Split -> file."""
    hint: str
    """Which files are missing, for the error about a split that is not there."""


def find_published(
    name: str,
    data_dir: Path | None,
    *,
    files: Mapping[str, Sequence[str]],
    folders: Collection[str],
    give: str,
    fetch: str = "",
    optional: Collection[str] = (),
    place: str = "",
) -> Published:
    """Find the files of a data set that does not come with albertkit.

    Args:
        name: the data set's name.
        data_dir: the folder of the files, one that holds it, or an archive of it.
        files: split -> names of its file, of which the first that is there counts.
        folders: names that the folder has in the official layout.
        give: what `--data-dir` has to name, e.g. "the folder ag_news_csv (train.csv, test.csv)".
        fetch: another way to the data, e.g. ", or fetch it with albertkit download imdb".
        optional: splits that are not missed where they are not there.
        place: what comes before the file names in messages, e.g. "CoLA/".

    Raises:
        UsageError: `data_dir` is None.
        DataError: no file of the data set is there.
    """
    if data_dir is None:
        raise UsageError(f"{name} does not come with albertkit: give --data-dir with {give} or an archive of it{fetch}")
    found = find_files(data_dir, folders=folders, names=[file for names in files.values() for file in names])
    there = {}
    for split, options in files.items():
        file = next((found[one] for one in options if one in found), None)
        if file is not None:
            there[split] = file
    wanted = {split: place + names[0] for split, names in files.items() if split not in optional}
    if not there:
        raise DataError(
            f"{name}: none of {', '.join(wanted.values())} under {data_dir}; give {give} or an archive of it"
        )
    missing = ", ".join(f"{split}: {file}" for split, file in wanted.items() if split not in there)
    return Published(there, f" (not under {data_dir}: {missing})" if missing else "")


def read_pairs(
    lines: Iterable[tuple[int, str]],
    columns: Sequence[str],
    *,
    text: str,
    pair: str | None,
    label: str | None,
    key: str | None,
    empty: Dataset,
    bad: BadRows,
) -> Dataset:
    """Return the split that lines of tab-separated columns make; quotes are ordinary characters.

    Args:
        lines: (number, line) below the header.
        columns: names of all columns.
        text: the column of the (first) text.
        pair: the column of the second text.
        label: the column of the label; None where it is not known.
        key: the column of the rows' own names.
        empty: what the split is called, with its task and labels, without rows.
        bad: collects rows that cannot be used.

    Raises:
        DataError: a row cannot be used and is not to be skipped, or there is none.
    """
    uses = {"text": text, "pair": pair, "label": label, "id": key}
    names = {use: name for use, name in uses.items() if name is not None}
    records = (CsvRecord(number, line.split("\t")) for number, line in lines)
    examples = []
    for place, values in delimited_rows(columns, records, list(names.values()), bad):
        row = dict(zip(names, values, strict=True))
        try:
            known = None if label is None else parse_label(row["label"], task=empty.task, labels=empty.labels)
        except ValueError as error:
            bad.add(place, str(error))
            continue
        examples.append(TextExample(row["text"], pair=row.get("pair"), label=known, id=row.get("id")))
    return with_rows(examples, empty=empty, bad=bad)
