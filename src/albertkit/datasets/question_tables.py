"""Questions about contexts from files of the user's own: SQuAD's layout (.json), or one question a row.

A row has the keys `context`, `question` and `answers`, `{"text": [...], "answer_start": [...]}` as the Hugging Face hub
has them (or SQuAD's list of objects), and may have `id`, `title` and `is_impossible`. No answer at all means that the
context holds none.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from albertkit.datasets.dataset import STRUCTURED_METRICS, Dataset, DataSource
from albertkit.datasets.own_files import QUESTION_ENDINGS, ReadOptions, is_unlabelled_test, own_source, split_files
from albertkit.datasets.rows import BadRows, own_bytes
from albertkit.datasets.squad import TASK, QuestionReader, read_squad
from albertkit.datasets.table_files import open_table
from albertkit.errors import DataError

_OPTIONAL = ("id", "title", "is_impossible")


def open_questions(path: Path, *, options: ReadOptions) -> DataSource:
    """Open a file (its one split is "train", also called "all") or a folder of files named by split.

    Args:
        path: .json, .jsonl or .parquet, or a folder of such files.
        options: whether answers are read, and bad rows skipped.

    Raises:
        DataError: the file or folder is not there.
    """
    files = split_files(path, task=TASK)
    return own_source(path, files, task=TASK, load=partial(_load, str(path), files, options))


def _load(name: str, files: dict[str, Path], options: ReadOptions, split: str) -> Dataset:
    path = files[split]
    empty = Dataset(name, split, TASK, (), STRUCTURED_METRICS[TASK], [])
    if path.suffix.lower() in QUESTION_ENDINGS:
        return read_squad(
            own_bytes(path, encoding=options.encoding),
            where=str(path),
            empty=empty,
            labelled=options.labelled,
            skip_bad_rows=options.skip_bad_rows,
        )
    table = open_table(path, encoding=options.encoding)
    labelled = options.labelled and not ("answers" not in table.columns and is_unlabelled_test(split, files))
    needed = ["context", "question", *(["answers"] if labelled else [])]
    missing = [f'"{key}"' for key in needed if key not in table.columns]
    if missing:
        raise DataError(
            f"{table.where}: no {' and '.join(missing)} (there are: {', '.join(table.columns)}); "
            "a row of questions has context, question and answers"
        )
    names = [*needed, *(key for key in _OPTIONAL if key in table.columns)]
    bad = BadRows(table.where, skip=options.skip_bad_rows)
    reader = QuestionReader(table.where, unanswerable=True, labelled=labelled, bad=bad)
    for place, values in table.rows(names, bad):
        reader.add(place, dict(zip(names, values, strict=True)))
    return reader.close(empty)
