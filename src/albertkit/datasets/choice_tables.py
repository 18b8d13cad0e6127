"""Questions with options from files of the user's own, one question a row.

A row has the keys `question` and `options` (a list of texts), and may have `context` (or `article`), `label` (or
`answer`: a letter from A or a number from 0), `id` and `group`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from albertkit.data.examples import ChoiceExample
from albertkit.datasets.choices import make_choice
from albertkit.datasets.dataset import Dataset, DataSource, with_rows
from albertkit.datasets.own_files import ReadOptions, own_source, require_keys
from albertkit.datasets.race import TASK
from albertkit.datasets.rows import BadRows
from albertkit.datasets.table_files import Table, open_table

_PASSAGE_ID = "example_id"  # of the hub's RACE: the passage's, the same for all its questions
_KEYS = {
    "question": ("question",),
    "options": ("options",),
    "context": ("context", "article", "passage"),
    "label": ("label", "answer"),
    "id": ("id", _PASSAGE_ID),
    "group": ("group",),
}
"""What is read -> its keys, the first that is there."""


def open_choices(path: Path | str, *, options: ReadOptions, tables: Mapping[str, Table] | None = None) -> DataSource:
    """Open a file (its one split is "train", also called "all") or a folder of files named by split.

    Args:
        path: .jsonl or .parquet, or a folder of such files; or the name of `tables`.
        options: whether labels are read, and bad rows skipped.
        tables: open tables by split, instead of files.

    Raises:
        DataError: the file or folder is not there.
    """
    return own_source(path, partial(_read, options), task=TASK, files=tables)


def _read(options: ReadOptions, path: Path | Table, empty: Dataset, may_lack_label: bool) -> Dataset:
    table = open_table(path, encoding=options.encoding)
    keys = {use: next((key for key in names if key in table.columns), None) for use, names in _KEYS.items()}
    labelled = options.labelled and not (keys["label"] is None and may_lack_label)
    needed = {use: keys[use] for use in ("question", "options", *(["label"] if labelled else []))}
    require_keys(table, needed, row="a row of choices has context, question, options and label")
    if not labelled:
        keys["label"] = None
    bad = BadRows(table.where, skip=options.skip_bad_rows, advice=table.advice)
    return with_rows(
        _rows(table, {use: key for use, key in keys.items() if key is not None}, bad), empty=empty, bad=bad
    )


def _rows(table: Table, keys: dict[str, str], bad: BadRows) -> list[ChoiceExample]:
    uses: Sequence[str] = tuple(keys)
    examples = []
    seen: Counter[str] = Counter()
    for place, values in table.rows([keys[use] for use in uses], bad):
        row = dict(zip(uses, values, strict=True))
        try:
            name = None if row.get("id") is None else str(row["id"])
            if name is not None and keys["id"] == _PASSAGE_ID:
                name = f"{name}-{seen[name]}"
            elif name is not None and name in seen:
                raise ValueError(f'its id "{name:.60}" is already used; each question needs its own')
            example = make_choice(
                context=row.get("context") or "",
                question=row["question"],
                options=row["options"],
                label=row.get("label"),
                labelled="label" in row,  # a null is a label forgotten, not a row without one
                name=name,
                group=None if row.get("group") is None else str(row["group"]),
            )
        except ValueError as error:
            bad.add(place, str(error))
            continue
        if name is not None:
            seen[str(row["id"])] += 1
        examples.append(example)
    return examples
