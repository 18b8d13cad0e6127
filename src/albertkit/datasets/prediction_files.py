"""Read any prediction file: answers, labels, choices and tags, each with its position in the file.

    by id       a JSON object {id: value}, SQuAD's form; a JSON list or JSONL of objects with an id and a value
    by index    GLUE's TSV with the columns index and prediction; CSV, TSV, JSONL or Parquet with a row for each example
    tags        CoNLL's columns, the last one predicted, a blank line between texts; JSONL with tags, and id or not

Every prediction counts: an id that comes twice, a broken row, or a column that is not there stops with its place.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from albertkit.data.columns import named
from albertkit.datasets.conll import read_columns
from albertkit.datasets.rows import BadRows, decode_text, own_bytes
from albertkit.datasets.table_files import is_table, open_table
from albertkit.errors import DataError, did_you_mean

ID_COLUMNS = ("id", "index", "idx", "guid", "qid", "example_id", "question_id")
"""Columns taken as the id of a row."""

VALUE_COLUMNS = (
    "prediction",
    "predicted",
    "prediction_text",
    "predicted_label",
    "pred",
    "answer",
    "label",
    "labels",
    "choice",
    "value",
)
"""Columns taken as the prediction of a row, the first one that is there; `albertkit predict` writes some of them."""

TAG_COLUMNS = ("tags", "predicted_tags", "prediction", "predictions", "labels")
"""The same for lists of tags."""


Read = TypeVar("Read")


@dataclass(frozen=True)
class PredictedRow:
    """One prediction."""

    place: str
    """Its position in the file, e.g. "line 3"."""
    key: str | None
    """Its id or index; None if only its position identifies it."""
    value: Any
    """The prediction as it is in the file."""
    words: tuple[str, ...] | None = None
    """The words that tags belong to, where the file says."""


@dataclass(frozen=True)
class Predictions:
    """The predictions of one file, in its order."""

    where: str
    """The file, as a message names it."""
    rows: tuple[PredictedRow, ...]

    def by_id(self) -> dict[str, PredictedRow]:
        """Return the rows by their ids.

        Raises:
            DataError: the rows have no ids.
        """
        if any(row.key is None for row in self.rows):
            raise DataError(f"{self.where}: predictions are matched by id, but the rows have no id; add a column id")
        return {row.key: row for row in self.rows if row.key is not None}

    def in_order(self, ids: Sequence[str | None], *, what: str = "example") -> list[PredictedRow]:
        """Return one row for each example.

        Rows without ids go by their order. Ids are the examples' own where these have any, else their numbers from 0,
        as GLUE's server counts.

        Args:
            ids: each example's own id; None where it has none.
            what: what an error message calls an example.

        Raises:
            DataError: an example without a prediction, or a prediction without an example; the first one is named.
        """
        if not self.rows or self.rows[0].key is None:
            if len(self.rows) != len(ids):
                last = f", the last at {self.rows[-1].place}" if self.rows else ""
                raise DataError(
                    f"{self.where}: {len(self.rows)} predictions for {len(ids)} {what}s{last}; "
                    f"each {what} needs one prediction, in order or by id"
                )
            return list(self.rows)
        rows = self.by_id()
        numbers = [str(number) for number in range(len(ids))]
        own = [name for name in ids if name is not None]
        names = numbers
        if len(set(own)) == len(ids) and len(rows.keys() & set(own)) >= len(rows.keys() & set(numbers)):
            names = own
        missing = [name for name in names if name not in rows]
        known = set(names)
        extra = [key for key in rows if key not in known]
        if missing or extra:
            parts = []
            if missing:
                parts.append(
                    f'{len(missing)} of {len(ids)} {what}s have no prediction (the first is "{missing[0]:.60}"'
                    f"{did_you_mean(missing[0], extra[:1000])})"
                )
            if extra:
                parts.append(
                    f"{len(extra)} predictions belong to no {what} "
                    f'(the first is "{extra[0]:.60}" at {rows[extra[0]].place})'
                )
            hint = "" if own else f" (the data has no ids of its own, so they are the numbers 0 to {len(ids) - 1})"
            raise DataError(f"{self.where}: {' and '.join(parts)}{hint}; are these predictions of this split?")
        return [rows[name] for name in names]

    def read(self, rows: Sequence[PredictedRow], read: Callable[[PredictedRow, int], Read]) -> list[Read]:
        """Return the result of a function for each row and its index.

        Raises:
            DataError: the function raised ValueError; the error reports all such rows, the first in full.
        """
        values, problems = [], []
        for number, row in enumerate(rows):
            try:
                values.append(read(row, number))
            except ValueError as error:
                problems.append((row.place, str(error)))
        if problems:
            (place, problem), *more = problems
            others = f" (and {len(more)} more, the next at {more[0][0]})" if more else ""
            raise DataError(f"{self.where}, {place}: {problem}{others}; repair the file, since every prediction counts")
        return values


def read_predictions(path: Path, *, column: str | None = None) -> Predictions:
    """Read answers, labels or choices.

    Args:
        path: a JSON file of ids and values or of objects; or a .csv, .tsv, .jsonl or .parquet table.
        column: the table's column (or the objects' key) with the predictions; the first of `VALUE_COLUMNS` if None.

    Raises:
        DataError: the file is not there, empty, not what its ending says, has no such column, a broken row, or an id
            twice.
        MissingExtraError: Parquet without pyarrow.
    """
    return _read(path, column=column, columns=VALUE_COLUMNS, what="prediction")


def read_tags(path: Path, *, column: str | None = None) -> Predictions:
    """Read the tags of texts: CoNLL's columns, or JSON and tables with lists of tags (or tags with spaces between).

    Args:
        path: .json, .jsonl, .csv, .tsv or .parquet with lists; any other ending is CoNLL's columns.
        column: the column with the lists; the first of `TAG_COLUMNS` if None.

    Returns:
        Rows whose values are lists of strings, and whose `words` are known from CoNLL's first column.

    Raises:
        DataError: see `read_predictions`, or a value that is no list of tags.
        MissingExtraError: Parquet without pyarrow.
    """
    if not (is_table(path) or path.suffix.lower() == ".json"):
        return _read_conll(path)
    found = _read(path, column=column, columns=TAG_COLUMNS, what="tag")
    rows = []
    for row in found.rows:
        tags = row.value.split() if isinstance(row.value, str) else row.value
        if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
            raise DataError(
                f'{found.where}, {row.place}: {row.value!r:.60} is not a list of tags, such as ["B-PER", "O"]'
            )
        rows.append(PredictedRow(row.place, row.key, tags))
    return Predictions(found.where, tuple(rows))


def read_numbers(path: Path) -> dict[str, float]:
    """Read a JSON object of ids and finite numbers, such as SQuAD's null odds.

    Raises:
        DataError: the file is not there, is no such object, or a value is no finite number; the sentence names its id.
    """
    found = read_predictions(path)
    numbers = {}
    for key, row in found.by_id().items():
        numbers[key] = math.nan
        if isinstance(row.value, (int, float)) and not isinstance(row.value, bool):
            with suppress(OverflowError):  # a whole number of hundreds of digits
                numbers[key] = float(row.value)
        if not math.isfinite(numbers[key]):
            raise DataError(f"{found.where}, {row.place}: {row.value!r:.40} is not a finite number")
    return numbers


def _read(path: Path, *, column: str | None, columns: Sequence[str], what: str) -> Predictions:
    _content(path)
    if not is_table(path):
        return _read_json(path, column=column, columns=columns, what=what)
    table = open_table(path)
    value = _column(table.where, table.columns, column, columns, what)
    key = next((name for name in ID_COLUMNS if name in table.columns and name != value), None)
    bad = BadRows(table.where, skip=True)
    rows = [
        PredictedRow(place, None if key is None else _key(cells[0], table.where, place), cells[-1])
        for place, cells in table.rows([value] if key is None else [key, value], bad)
    ]
    _refuse_bad(bad)
    return Predictions(table.where, _without_doubles(table.where, rows))


def _read_json(path: Path, *, column: str | None, columns: Sequence[str], what: str) -> Predictions:
    where = str(path)
    text = decode_text(_content(path), where=where, encoding=None)

    def kept(pairs: list[tuple[str, Any]]) -> Any:
        # The json module would keep the last of two equal keys and say nothing.
        seen = dict(pairs)
        if len(seen) < len(pairs):
            counts = Counter(name for name, _ in pairs)
            twice = next(name for name in counts if counts[name] > 1)
            raise DataError(f'{where}: the id "{twice:.60}" occurs twice; keep one of its predictions')
        return seen

    try:
        content = json.loads(text, object_pairs_hook=kept)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{where}, line {error.lineno}: not JSON ({error.msg}, column {error.colno}); JSON, or a table that ends "
            "in .csv, .tsv, .jsonl or .parquet, is needed"
        ) from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: not JSON that can be read ({error!s:.100})") from error
    if isinstance(content, dict):
        if not content:
            raise DataError(f"{where}: the JSON object is empty; it needs ids and {what}s")
        return Predictions(where, tuple(PredictedRow(f'id "{key:.60}"', key, value) for key, value in content.items()))
    if not isinstance(content, list) or not content:
        kind = "an empty list" if content == [] else f"a {type(content).__name__}"
        raise DataError(f"{where}: the JSON is {kind}; an object of ids and {what}s, or a list of objects, is needed")
    objects = [entry for entry in content if isinstance(entry, dict)]
    if len(objects) < len(content):
        if objects:
            number = next(number for number, entry in enumerate(content) if not isinstance(entry, dict))
            raise DataError(
                f"{where}, entry {number}: {content[number]!r:.40} is not a JSON object, unlike the other entries"
            )
        return Predictions(where, tuple(PredictedRow(f"entry {n}", None, entry) for n, entry in enumerate(content)))
    value = _column(where, tuple(objects[0]), column, columns, what)
    key = next((name for name in ID_COLUMNS if name in objects[0] and name != value), None)
    rows = []
    for number, entry in enumerate(objects):
        place = f"entry {number}"
        without = [name for name in (key, value) if name is not None and name not in entry]
        if without:
            raise DataError(f'{where}, {place}: no key "{without[0]:.60}", which the first entry has')
        rows.append(PredictedRow(place, None if key is None else _key(entry[key], where, place), entry[value]))
    return Predictions(where, _without_doubles(where, rows))


def _read_conll(path: Path) -> Predictions:
    where = str(path)
    _content(path)
    file = read_columns(own_bytes(path, encoding=None), where=where, skip_bad_rows=True)
    _refuse_bad(file.bad)
    rows = []
    for row in file.rows:
        words = tuple(row.text[start:end] for start, end in row.words)
        rows.append(PredictedRow(row.place, None, list(row.tags or ()), words))
    return Predictions(where, tuple(rows))


def _refuse_bad(bad: BadRows) -> None:
    # Bad rows are collected as if to be skipped, but only to report them together: scoring must not lose a row.
    problems = bad.close()
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise DataError(f"{problems[0]}{more}; repair the file, since every prediction counts")


def _content(path: Path) -> bytes:
    if not path.is_file():
        raise DataError(f"{path} {'is a folder' if path.is_dir() else 'does not exist'}; give a file of predictions")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    if not content.strip():
        raise DataError(f"{path}: the file is empty; it needs predictions")
    return content


def _column(where: str, there: Sequence[str], name: str | None, defaults: Sequence[str], what: str) -> str:
    if name is None:
        name = next((default for default in defaults if default in there), None)
    if name is not None and name in there:
        return name
    known = named(there)
    if name is None:
        raise DataError(
            f"{where}: no column with the {what}s (there are: {known}; looked for {', '.join(defaults)}); "
            "give --prediction-column"
        )
    raise DataError(f'{where}: no column "{name}" (there are: {known}){did_you_mean(name, there)}')


def _key(value: Any, where: str, place: str) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int)) or not str(value).strip():
        raise DataError(f"{where}, {place}: the id {value!r:.40} is neither a string nor a whole number")
    return str(value).strip()


def _without_doubles(where: str, rows: Sequence[PredictedRow]) -> tuple[PredictedRow, ...]:
    seen: dict[str, str] = {}
    for row in rows:
        if row.key is not None:
            if row.key in seen:
                before = seen[row.key]
                raise DataError(
                    f'{where}, {row.place}: the id "{row.key:.60}" is already at {before}; keep one of the two'
                )
            seen[row.key] = row.place
    return tuple(rows)
