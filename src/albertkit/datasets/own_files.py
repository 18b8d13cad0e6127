"""Files of the user's own: how they are read, which task they are for, and which file is a split."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from albertkit.datasets.dataset import SPLIT_ALIASES, STRUCTURED_METRICS, TASKS, WHOLE, Dataset, DataSource
from albertkit.datasets.table_files import TABLE_ENDINGS, Table, open_table
from albertkit.errors import DataError, UsageError, did_you_mean, nearest_file

COLUMN_ENDINGS = (".conll", ".conllu", ".bio", ".iob", ".iob2", ".bioes")
"""Endings of files with one word per line; .txt counts as one only if the task says so."""
ROW_ENDINGS = (".jsonl", ".parquet")
"""Endings of files with one row per question or text."""
QUESTION_ENDINGS = (".json",)
"""Endings of files in SQuAD's layout."""

ENDINGS: Mapping[str, tuple[str, ...]] = {
    "question_answering": (*QUESTION_ENDINGS, *ROW_ENDINGS),
    "multiple_choice": ROW_ENDINGS,
    "token_classification": (*COLUMN_ENDINGS, ".txt", *ROW_ENDINGS),
}
"""Task -> endings of its files."""

SPLITS = ("train", "dev", "test")
"""The splits of a user's own data, in their order."""
UNLABELLED = ("test", "unsupervised", "unlabeled", "unlabelled")
"""Splits whose labels are often kept back, or never given: imdb on the hub has one of -1 only, `unsupervised`."""


@dataclass(frozen=True)
class ReadOptions:
    """How to read files of the user's own; what is None is found out."""

    text_column: str | None = None
    """Of a table of texts: the column of the (first) text."""
    pair_column: str | None = None
    """Of a table of texts: the column of the second text."""
    label_column: str | None = None
    """Of a table of texts: the column of the label."""
    task: str | None = None
    """Of a table of texts: one of `TASKS`."""
    labels: tuple[str, ...] | None = None
    """Names of the classes or tags in the order of their indices; otherwise those of the first split."""
    labelled: bool = True
    """Whether labels (answers, tags, choices) are read; False for rows to predict."""
    skip_bad_rows: bool = False
    """Whether to count rows that cannot be used and continue, instead of an error."""
    encoding: str | None = None
    """Of text files; their byte order mark says it, else they are UTF-8, if None."""

    def __post_init__(self) -> None:
        if self.task is not None and self.task not in (*TASKS, *ENDINGS):
            raise UsageError(f'unknown task "{self.task}"{did_you_mean(self.task, TASKS)} (known: {", ".join(TASKS)})')

    @property
    def columns(self) -> dict[str, str]:
        """The columns that were given, by the name of their option."""
        named = {
            "text_column": self.text_column,
            "pair_column": self.pair_column,
            "label_column": self.label_column,
        }
        return {option: column for option, column in named.items() if column is not None}


def task_of(path: Path, *, task: str | None = None, by_keys: bool = True, encoding: str | None = None) -> str | None:
    """Return the task of `ENDINGS` that a file or folder is for, or None if it is a table of texts or unknown.

    A .jsonl or .parquet file is recognized by its keys: question, context and answers; question and options; tokens
    with tags, or text with spans, without a label.

    >>> task_of(Path("dev.json")), task_of(Path("notes.txt")), task_of(Path("notes.txt"), task="token_classification")
    ('question_answering', None, 'token_classification')

    Args:
        path: a file, which need not exist, or a folder of files named by split.
        task: what the user says that it is; one that is not of `ENDINGS` gives None.
        by_keys: False leaves .jsonl and .parquet to be tables, as where texts are read for whatever use.
        encoding: encoding of a text file.
    """
    if task is not None:
        return task if task in ENDINGS else None
    if path.is_dir():
        known = {*QUESTION_ENDINGS, *COLUMN_ENDINGS, *ROW_ENDINGS}
        files = {_split(file): file for file in sorted(path.iterdir()) if file.suffix.lower() in known}
        first = next((files[split] for split in SPLITS if split in files), None)  # test may lack what tells
        return None if first is None else task_of(first, by_keys=by_keys, encoding=encoding)
    ending = path.suffix.lower()
    if ending in QUESTION_ENDINGS:
        return "question_answering"
    if ending in COLUMN_ENDINGS:
        return "token_classification"
    return task_of_keys(_keys(path, encoding)) if by_keys and ending in ROW_ENDINGS and path.is_file() else None


def split_files(path: Path, *, task: str | None = None) -> dict[str, Path]:
    """Return split -> file, train first; a single file is the split train.

    Args:
        path: a file, or a folder with files named train, dev (or validation) and test.
        task: a key of `ENDINGS`; None for tables of texts.

    Raises:
        DataError: a file is not there or has another ending, or the folder holds none or two for a split.
    """
    endings = TABLE_ENDINGS if task is None else ENDINGS[task]
    if not path.is_dir():
        if not path.is_file():
            hint = nearest_file(path) or f"; give the path of a file ({', '.join(endings)})"
            raise DataError(f"{path} does not exist{hint}")
        if path.suffix.lower() not in endings:
            raise DataError(f"{path}: a file for {task} ends in {', '.join(endings)}; rename or convert it")
        return {"train": path}
    found: dict[str, Path] = {}
    for file in sorted(path.iterdir()):
        split = _split(file)
        if split is None or file.suffix.lower() not in endings:
            continue
        if split in found:
            raise DataError(f"{path}: {found[split].name} and {file.name} are both the split {split}; keep one")
        found[split] = file
    if not found:
        what, which = ("table", "") if task is None else ("file", f" for {task}")
        raise DataError(
            f"{path}: no {what} named train, dev, validation or test{which} in it ({', '.join(endings)}); "
            "name the files so, or give one file"
        )
    if task is None and len({file.suffix.lower() for file in found.values()}) > 1:
        names = ", ".join(file.name for file in found.values())
        raise DataError(f"{path}: {names} have different file types; convert them to one type")
    return {split: found[split] for split in SPLITS if split in found}


def may_lack_labels(split: str, files: Collection[str]) -> bool:
    """Return whether a split may lack labels: one of `UNLABELLED` among other splits.

    >>> may_lack_labels("test", ["train", "test"]), may_lack_labels("test", ["test"])
    (True, False)
    """
    return split in UNLABELLED and len(files) > 1


def _split(file: Path) -> str | None:
    split = SPLIT_ALIASES.get(file.stem, file.stem)
    return split if split in SPLITS and file.is_file() else None


def _keys(path: Path, encoding: str | None) -> set[str]:
    try:
        return set(open_table(path, encoding=encoding, every_key=False).columns)
    except DataError:  # the code that reads the whole file reports what is wrong with it
        return set()


def task_of_keys(keys: set[str]) -> str | None:
    """Return the task of `ENDINGS` that rows with such keys are for, or None if they are texts."""
    if {"question", "context", "answers"} <= keys:
        return "question_answering"
    if {"question", "options"} <= keys:
        return "multiple_choice"
    tagged = ("tokens" in keys and keys & {"tags", "ner_tags"}) or ("text" in keys and keys & {"spans", "entities"})
    return "token_classification" if tagged and not keys & {"label", "labels"} else None


Read = Callable[[Any, Dataset, bool], Dataset]
"""(file or open table, the split without rows, whether it may lack what is to be predicted) -> the split."""


def own_source(
    path: Path | str,
    read: Read,
    *,
    task: str,
    labels: tuple[str, ...] = (),
    metrics: tuple[str, ...] | None = None,
    files: Mapping[str, Any] | None = None,
) -> DataSource:
    """Return the data set that a file or folder of the user's own is; one file is the split "train" and "all".

    Args:
        path: what was given, or with `files` the name of what they are.
        read: reads a split.
        task: a key of `ENDINGS`, or one of `TASKS`.
        labels: names of the classes or tags.
        metrics: their names, the main one first; the task's if None.
        files: what `split_files` found there, where it was called already.

    Raises:
        DataError: the file or folder is not there.
    """
    there: Mapping[str, Any] = split_files(Path(path), task=task) if files is None else files
    hint = "" if isinstance(path, str) else " (a single file has the split train)"
    if isinstance(path, Path) and path.is_dir():
        hint = f" (a file {path / 'SPLIT'}{next(iter(there.values())).suffix} would be it)"
    chosen = STRUCTURED_METRICS[task] if metrics is None else metrics

    def load(split: str) -> Dataset:
        empty = Dataset(str(path), split, task, labels, chosen, [])
        return read(there[split], empty, may_lack_labels(split, there))

    aliases = {WHOLE: "train"} if len(there) == 1 else {}
    return DataSource(str(path), task, labels, chosen, tuple(there), load, aliases=aliases, hint=hint)


def require_keys(table: Table, needed: Mapping[str, str | None], *, row: str) -> None:
    """Refuse a table without the columns that its rows need.

    Args:
        table: the table.
        needed: what is needed -> its column; None where there is none.
        row: what a row has, e.g. "a row of questions has context, question and answers".

    Raises:
        DataError: names what is missing.
    """
    missing = " and ".join(f'"{name}"' for name, column in needed.items() if column is None)
    if missing:
        raise DataError(f"{table.where}: no {missing} (there are: {', '.join(table.columns)}); {row}")
