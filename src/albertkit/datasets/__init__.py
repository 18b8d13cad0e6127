"""Data sets by name, and files of the user's own: `open_data` and `load_dataset`.

One more data set is one more file with a function `(name, *, data_dir, skip_bad_rows) -> DataSource` and one line in
`DATASETS`; another package adds its own through an entry point of the group "albertkit.datasets".
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from albertkit.datasets.dataset import Dataset, DataSource, holdout, require_labelled, require_two_labels
from albertkit.errors import UsageError, did_you_mean
from albertkit.hub.hub_names import HUGGING_FACE
from albertkit.io.files import local_path
from albertkit.registry import Registry

if TYPE_CHECKING:
    from albertkit.datasets.own_files import ReadOptions
    from albertkit.datasets.table_files import Table

__all__ = [
    "DATASETS",
    "DataSource",
    "Dataset",
    "can_be_named",
    "holdout",
    "load_dataset",
    "open_data",
    "require_labelled",
    "require_two_labels",
]

DATASETS: Registry[Callable[..., DataSource]] = Registry(
    "data set",
    group="albertkit.datasets",
    table={
        "polarity": "albertkit.datasets.polarity:open_polarity",
        "imdb": "albertkit.datasets.imdb:open_imdb",
        "ag_news": "albertkit.datasets.ag_news:open_ag_news",
        "ner": "albertkit.datasets.conll:open_ner",
        **dict.fromkeys(("race", "race/middle", "race/high"), "albertkit.datasets.race:open_race"),
        **dict.fromkeys(("sick/relatedness", "sick/entailment"), "albertkit.datasets.sick:open_sick"),
        **dict.fromkeys(("squad/v1", "squad/v2"), "albertkit.datasets.squad:open_squad"),
        **{
            f"glue/{task}": "albertkit.datasets.glue:open_glue"
            for task in ("cola", "sst2", "mrpc", "stsb", "qqp", "mnli", "qnli", "rte", "wnli")
        },
    },
)
"""Name -> function that opens the data set."""


def can_be_named(data: str) -> bool:
    """Return whether a command can be given these data: a known name, hf: and a name or folder, or a path.

    >>> can_be_named("polarity"), can_be_named("hf:org/name"), can_be_named("DataFrame")
    (True, True, False)

    Args:
        data: what a `DataSource` is called, also that of a table in memory.
    """
    return data in DATASETS or data.startswith(HUGGING_FACE) or Path(data).exists()


def open_data(
    data: str | os.PathLike[str] | Any,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    text_column: str | None = None,
    pair_column: str | None = None,
    label_column: str | None = None,
    task: str | None = None,
    labels: Sequence[str] | None = None,
    labelled: bool = True,
    skip_bad_rows: bool = False,
    encoding: str | None = None,
) -> DataSource:
    """Open a known data set, a file of the user's own, or a folder of such files named by split.

    Files for question answering, multiple choice and token classification are recognized by their endings or, if they
    hold one JSON object per line, by their keys (`own_files.task_of`). If neither is enough, pass `task`. The modules
    `question_tables`, `choice_tables` and `tag_tables` define the formats. All other files are tables of texts
    (`table`).

    >>> open_data("polarity").splits
    ('train', 'dev', 'test')

    Args:
        data: a name of `DATASETS`; or a file that ends in .csv, .tsv, .jsonl, .parquet or .xlsx, in .json (questions in
            SQuAD's layout) or in .conll, .bio, .iob, .iob2 or .bioes (one word per line; .txt if the task says so); or
            a folder with such files named train, dev (or validation) and test; or hf: and a name on the Hugging Face
            hub or a folder in the layout of the datasets library (`hf:ORG/NAME/CONFIG`, `hf:./folder`); or a table in
            memory (pandas, polars, pyarrow, Hugging Face datasets), or a dictionary of such tables by split.
        data_dir: for a name: a local copy, a folder in the official layout or an archive of it; what `albertkit
            download` has put into the cache if None.
        text_column: for a table: the column of the (first) text.
        pair_column: for a table: the column of the second text.
        label_column: for a table: the column of the label.
        task: classification, regression, multilabel, question_answering, multiple_choice or token_classification; for
            a file, found out from what it holds if None.
        labels: for a table, or words with tags: names of the classes by index; those of the training file in a fixed
            order if None. Lists of zeros and ones (multi-label) need them.
        labelled: for a file: False leaves the labels (answers, tags, choices) unread, for rows to predict;
            then `task` tells what a .jsonl or .parquet file is, which is a table of texts otherwise.
        skip_bad_rows: count rows that cannot be used (`Dataset.skipped`) and go on, instead of an error.
        encoding: for a text file: such as cp1252 or utf-16; its byte order mark says it, else it is UTF-8, if None.

    Raises:
        UsageError: the name is unknown (with the nearest one), or an option does not go with the data.
        DataError: a file is missing or a row cannot be used; the sentence names file and line.
        DownloadError: data on the hub that are not in the cache and cannot or should not be downloaded.
        MissingExtraError: Parquet without pyarrow, .xlsx without openpyxl, hf: without datasets.
    """
    columns = {"text_column": text_column, "pair_column": pair_column, "label_column": label_column}
    if isinstance(data, str | os.PathLike) and os.fspath(data) in DATASETS:
        name = os.fspath(data)
        given = {**columns, "labels": None if labels is None else ", ".join(labels), "encoding": encoding}
        source = _open_known(name, data_dir=data_dir, skip_bad_rows=skip_bad_rows, given=given)
        if task not in (None, source.task):
            raise UsageError(f'task "{task}" does not fit {name}, which is a {source.task} data set; leave it out')
        return source
    # Here, since a known data set needs none of these files.
    from albertkit.datasets.own_files import COLUMN_ENDINGS, ReadOptions, task_of
    from albertkit.datasets.table_files import TABLE_ENDINGS, is_table

    options = ReadOptions(
        **columns,
        task=task,
        labels=None if labels is None else tuple(labels),
        labelled=labelled,
        skip_bad_rows=skip_bad_rows,
        encoding=encoding,
    )
    name = os.fspath(data) if isinstance(data, str | os.PathLike) else None
    if name is None or name.startswith(HUGGING_FACE):
        shown = name or f"a {type(data).__name__}"
        for option, value in (("data_dir", data_dir), ("encoding", encoding)):
            if value is not None:
                raise UsageError(f"{option} goes with files, but data is {shown}; leave it out")
        return _open_in_memory(name or data, options)
    path = local_path(name)
    # A named column makes it a table of texts, unless the task was said.
    named = task is None and any(column is not None for column in columns.values())
    own = None if named else task_of(path, task=task, by_keys=labelled, encoding=encoding)
    if own is None and not is_table(path) and not path.is_dir():
        known = (
            f" (known: {', '.join(sorted(DATASETS))}; or the path of a table: {' '.join(TABLE_ENDINGS)}, "
            f"of questions: .json, or of tags: {' '.join(COLUMN_ENDINGS)})"
        )
        raise UsageError(f'unknown data set "{name}"{did_you_mean(name, DATASETS) or known}')
    if data_dir is not None:
        raise UsageError(f"--data-dir works only with a known data set, but {name} is a path; leave it out")
    return _open_own(own, path, options)


def _open_known(
    name: str, *, data_dir: str | os.PathLike[str] | None, skip_bad_rows: bool, given: Mapping[str, str | None]
) -> DataSource:
    from albertkit.datasets.sources import cached_dataset

    for option, value in given.items():
        if value is not None:
            raise UsageError(
                f'{option} "{value}" works only with a table, but {name} is a known data set; leave it out'
            )
    place = cached_dataset(name) if data_dir is None else Path(data_dir).expanduser()
    return DATASETS[name](name, data_dir=place, skip_bad_rows=skip_bad_rows)


def _open_in_memory(data: Any, options: ReadOptions) -> DataSource:
    """Open tables in memory, or what hf: and a name mean, which is read into memory."""
    from albertkit.datasets.own_files import ENDINGS, task_of_keys
    from albertkit.datasets.table import frame_tables

    name, advice = type(data).__name__, ""
    if isinstance(data, str):
        from albertkit.datasets.hugging_face import open_hugging_face
        from albertkit.io.progress import Console

        name, data = open_hugging_face(data, progress=Console())
        advice = "rows count from 0; pass --skip-bad-rows (skip_bad_rows=True in Python)"
    tables = frame_tables(data, name=name, advice=advice)
    own = options.task if options.task in ENDINGS else None
    if options.task is None and options.labelled and not options.columns:
        own = task_of_keys(set(next(iter(tables.values())).columns))
    return _open_own(own, name, options, tables)


def _open_own(
    task: str | None, path: Path | str, options: ReadOptions, tables: Mapping[str, Table] | None = None
) -> DataSource:
    """Open files of a task of `own_files.ENDINGS`, or tables of texts for None."""
    if task is None:
        from albertkit.datasets.table import open_tables

        return open_tables(path, options=options, tables=tables)
    for option, value in options.columns.items():
        raise UsageError(f'{option} "{value}" works only with a table of texts, but {path} is for {task}; leave it out')
    if task == "token_classification":
        from albertkit.datasets.tag_tables import open_tags

        return open_tags(path, options=options, tables=tables)
    if options.labels:
        raise UsageError(
            f'labels "{", ".join(options.labels)}" are for classification or tagging, but {path} is for {task}'
        )
    if task == "question_answering":
        from albertkit.datasets.question_tables import open_questions

        return open_questions(path, options=options, tables=tables)
    from albertkit.datasets.choice_tables import open_choices

    return open_choices(path, options=options, tables=tables)


def load_dataset(
    data: str | os.PathLike[str] | Any,
    *,
    split: str = "train",
    data_dir: str | os.PathLike[str] | None = None,
    text_column: str | None = None,
    pair_column: str | None = None,
    label_column: str | None = None,
    task: str | None = None,
    labels: Sequence[str] | None = None,
    labelled: bool = True,
    skip_bad_rows: bool = False,
    encoding: str | None = None,
) -> Dataset:
    """Read one split of a data set; see `open_data` for all but `split`.

    >>> data = load_dataset("polarity", split="test")
    >>> len(data), data.labels
    (1066, ('negative', 'positive'))

    Args:
        data: a known name, a file, a folder of files, hf: and a name or folder, a table in memory (pandas, polars,
            pyarrow, Hugging Face datasets), or a dictionary of such tables by split.
        split: the split's name.
        data_dir: for a name: a local copy.
        text_column: for a table: the column of the (first) text.
        pair_column: for a table: the column of the second text.
        label_column: for a table: the column of the label.
        task: what the data are for.
        labels: for a table, or words with tags: names of the classes by index.
        labelled: for a file: whether labels are read.
        skip_bad_rows: count rows that cannot be used and go on, instead of an error.
        encoding: for a text file: such as cp1252 or utf-16.

    Raises:
        UsageError: there is no such data set or split, or an option does not go with the data.
        DataError: a file is missing or a row cannot be used; the sentence names file and line.
        DownloadError: data on the hub that are not in the cache and cannot or should not be downloaded.
        MissingExtraError: Parquet without pyarrow, .xlsx without openpyxl, hf: without datasets.
    """
    source = open_data(
        data,
        data_dir=data_dir,
        text_column=text_column,
        pair_column=pair_column,
        label_column=label_column,
        task=task,
        labels=labels,
        labelled=labelled,
        skip_bad_rows=skip_bad_rows,
        encoding=encoding,
    )
    return source.split(split)
