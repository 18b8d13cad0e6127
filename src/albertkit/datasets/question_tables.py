"""Questions about contexts from files of the user's own: SQuAD's layout (.json), or one question a row.

A row has the keys `context`, `question` and `answers`, `{"text": [...], "answer_start": [...]}` as the Hugging Face hub
has them (or SQuAD's list of objects), and may have `id`, `title` and `is_impossible`. No answer at all means that the
context holds none.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from albertkit.datasets.dataset import Dataset, DataSource
from albertkit.datasets.own_files import QUESTION_ENDINGS, ReadOptions, own_source, require_keys
from albertkit.datasets.rows import BadRows, own_bytes
from albertkit.datasets.squad import TASK, QuestionReader, read_squad
from albertkit.datasets.table_files import Table, open_table

_OPTIONAL = ("id", "title", "is_impossible")


def open_questions(path: Path | str, *, options: ReadOptions, tables: Mapping[str, Table] | None = None) -> DataSource:
    """Open a file (its one split is "train", also called "all") or a folder of files named by split.

    Args:
        path: .json, .jsonl or .parquet, or a folder of such files; or the name of `tables`.
        options: whether answers are read, and bad rows skipped.
        tables: open tables by split, instead of files.

    Raises:
        DataError: the file or folder is not there.
    """
    return own_source(path, partial(_read, options), task=TASK, files=tables)


def _read(options: ReadOptions, path: Path | Table, empty: Dataset, may_lack_answers: bool) -> Dataset:
    if isinstance(path, Path) and path.suffix.lower() in QUESTION_ENDINGS:
        return read_squad(
            own_bytes(path, encoding=options.encoding),
            where=str(path),
            empty=empty,
            labelled=options.labelled,
            skip_bad_rows=options.skip_bad_rows,
        )
    table = open_table(path, encoding=options.encoding)
    labelled = options.labelled and not ("answers" not in table.columns and may_lack_answers)
    needed = ["context", "question", *(["answers"] if labelled else [])]
    require_keys(
        table,
        {name: name if name in table.columns else None for name in needed},
        row="a row of questions has context, question and answers",
    )
    names = [*needed, *(key for key in _OPTIONAL if key in table.columns)]
    bad = BadRows(table.where, skip=options.skip_bad_rows, advice=table.advice)
    reader = QuestionReader(table.where, unanswerable=True, labelled=labelled, bad=bad)
    for place, values in table.rows(names, bad):
        reader.add(place, dict(zip(names, values, strict=True)))
    return reader.close(empty)
