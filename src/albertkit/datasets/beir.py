"""Collections to search in, in BEIR's layout (Thakur et al., 2021):

corpus.jsonl      {"_id": "d1", "title": "..", "text": ".."}, the title may be left out
queries.jsonl     {"_id": "q1", "text": ".."}
qrels/SPLIT.tsv   query-id, corpus-id, score: what is relevant, the higher the more; below a header
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from albertkit.datasets.dataset import SPLIT_ALIASES
from albertkit.datasets.rows import BadRows, checked_text
from albertkit.datasets.table_files import open_table
from albertkit.errors import DataError, UsageError, did_you_mean
from albertkit.io.counts import counted_noun

_CORPUS, _QUERIES, _QRELS = "corpus.jsonl", "queries.jsonl", "qrels"


@dataclass(frozen=True)
class Collection:
    """Documents, and questions with what is relevant to them."""

    name: str
    split: str
    corpus: Mapping[str, str]
    """Id -> title and text."""
    queries: Mapping[str, str]
    """Id -> text, of the queries of the split that have a relevant document."""
    relevant: Mapping[str, Mapping[str, int]]
    """Id of a query -> id of a document -> how relevant it is, from 1."""

    def take(self, limit: int | None) -> Collection:
        """Return the collection with the first `limit` queries, or all of them for None.

        Raises:
            UsageError: `limit` is below 1.
        """
        if limit is not None and limit < 1:
            raise UsageError(f"the limit is {limit}; it must be 1 or more queries")
        return replace(self, queries=dict(list(self.queries.items())[:limit]))


def is_collection(path: Path) -> bool:
    """Return whether a folder is a collection: one with judgements, or with documents and queries."""
    return (path / _QRELS).is_dir() or ((path / _CORPUS).is_file() and (path / _QUERIES).is_file())


def open_collection(path: Path, split: str | None = None, *, skip_bad_rows: bool = False) -> Collection:
    """Read a collection.

    Args:
        path: the folder.
        split: name of a file in `qrels`; test if None, else dev, else the only one.
        skip_bad_rows: leave out rows that cannot be used, instead of an error.

    Raises:
        UsageError: there is no such split.
        DataError: a file is missing, or a row cannot be used; the sentence names it.
    """
    name, qrels = _qrels(path, split)
    corpus = _texts(path / _CORPUS, skip=skip_bad_rows)
    queries = _texts(path / _QUERIES, skip=skip_bad_rows)
    relevant = _relevant(qrels, corpus, queries, skip=skip_bad_rows)
    if not relevant:
        raise DataError(f"{qrels}: no query has a relevant document, so there is nothing to score")
    kept = {key: text for key, text in queries.items() if key in relevant}
    return Collection(str(path), name, corpus, kept, relevant)


def _qrels(path: Path, split: str | None) -> tuple[str, Path]:
    files = {file.stem: file for file in sorted((path / _QRELS).glob("*.tsv"))}
    if not files:
        raise DataError(f"{path / _QRELS}: no .tsv file in it, which says what is relevant; add {_QRELS}/test.tsv")
    if split is None:
        split = next((name for name in ("test", "dev") if name in files), next(iter(files)))
    name = split if split in files else SPLIT_ALIASES.get(split, split)
    if name not in files:
        raise UsageError(
            f'{path} has no split "{split}"; available splits: {", ".join(files)}{did_you_mean(split, files)}'
        )
    return name, files[name]


def _texts(path: Path, *, skip: bool) -> dict[str, str]:
    bad = BadRows(str(path), skip=skip)
    found: dict[str, str] = {}
    for place, (key, text, title) in open_table(path, every_key=False).rows(["_id", "text"], bad, optional=["title"]):
        try:
            name = _id(key)
            words = checked_text(text, column="text")
            if name in found:
                raise ValueError(f'the _id "{name}" occurs twice')
            found[name] = f"{title} {words}".strip() if isinstance(title, str) else words
        except ValueError as error:
            bad.add(place, str(error))
    bad.close()
    return found


def _relevant(
    path: Path, corpus: Mapping[str, str], queries: Mapping[str, str], *, skip: bool
) -> dict[str, dict[str, int]]:
    bad = BadRows(str(path), skip=skip)
    table = open_table(path)
    if len(table.columns) != 3:
        raise DataError(
            f"{path}: {counted_noun(len(table.columns), 'column')}; it needs three: query-id, corpus-id and score"
        )
    if table.columns[2].strip().lstrip("-").isdecimal():
        raise DataError(
            f"{path}, line 1: a row of relevance where a header belongs; add the line query-id, corpus-id, score"
        )
    found: dict[str, dict[str, int]] = {}
    for place, (query, document, score) in table.rows(table.columns, bad):
        try:
            if query not in queries:
                raise ValueError(f'there is no query "{query}" in {_QUERIES}')
            if document not in corpus:
                raise ValueError(f'there is no document "{document}" in {_CORPUS}')
            grade = _grade(score)
        except ValueError as error:
            bad.add(place, str(error))
            continue
        if grade > 0:
            found.setdefault(query, {})[document] = grade
    bad.close()
    return found


def _grade(value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise ValueError(f'the score is "{value:.40}", not a whole number') from None


def _id(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value):
        raise ValueError(f"the _id is {value!r:.40}, not a text or a number")
    return str(value)
