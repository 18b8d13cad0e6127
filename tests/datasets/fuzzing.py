"""A seeded fuzzer of tables and prediction files: read, or refused in one sentence, in bounded time and memory.

    python -m tests.datasets.fuzzing --count 20000               # every kind; minutes each
    python -m tests.datasets.fuzzing --kind csv --only 1234      # one case again

Case N of a kind is the same file on every machine. A case changes cells, names and rows of a healthy table, writes it
with the mistakes that programs make (delimiters, quotes, line ends, encodings), and half of the time damages bytes too.
"""

from __future__ import annotations

import csv
import io
import json
import random
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.checkpoints.fuzzing import mutate
from tests.fuzzed import Cost, Tally, command, run_guarded

CELLS: tuple[Any, ...] = (
    "", " ", "a", "1", "0", "1.0", "-0.0", "3,5", "1e999", "nan", "NaN", "None", "null", "True", "false", "01",
    "9" * 400, "['a', 'b']", "[0, 1, 0]", "[1 0 1]", "['a'", "['a' ... 'b']", "[[['a']]]", "[" * 5000, "np.str_('a')",
    "a|b", "0|1|1", '"', '""', 'a"b', "a,b", "a;b", "a\tb", "a\nb", "a\r\nb", "a\rb", "\0", "\ufeff", "\u2028", "\x85",
    "\u00e9", "cafe\u0301", "\U0001f600", "\u200b", "=1+1", "sep=;", "x" * 100_000, "id", "text", "label", "O", "B-PER",
    "B-PER O", "{}", "[]", "\\",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2**53, 2**63, 10**30, 0.5, 1.0, float("nan"), float("inf"), [], [0, 1, 0],
    [1.0, 0.0, 1.0], [True, False, True], ["a"], ["a", "b"], ["a", None], [["a"]], [{}], {}, {"a": 1}, {"text": "a"},
    "\ud800", "a\ud83d",
)  # fmt: skip
NAMES = (
    "", " ", "text", "Text", " text ", "label", "labels", "id", "sentence1", "sentence2", "question", "context",
    "answers", "options", "tokens", "tags", "spans", "prediction", "index", "value", "vector", "\ufefftext", "te,xt",
    'te"xt', "\0",
)  # fmt: skip
ROWS = (1, 2, 5, 23)
ENCODINGS = ("utf-8", "utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252", "latin-1")

Rows = list[list[Any]]


def healthy(kind: str, draw: random.Random) -> Rows:
    """Return a good table; the first row holds the names."""
    rows = draw.choice(ROWS)
    if kind == "predictions":
        values: Callable[[int], Any] = draw.choice(
            (lambda n: "ab"[n % 2], lambda n: n % 2, lambda _: ["O", "B-PER"], lambda n: n / 7)
        )
        return [[draw.choice(("id", "index")), "prediction"], *([n, values(n)] for n in range(rows))]
    label: Callable[[int], Any] = draw.choice(
        (
            lambda n: "ab"[n % 2],
            lambda n: n % 2,
            lambda n: n / 7,
            lambda n: [n % 2, 1, 0],
            lambda n: ["a", "b"][: n % 3],
        )
    )
    return [["id", "text", "label"], *([n, f"text {n}, of words", label(n)] for n in range(rows))]


def changed(rows: Rows, draw: random.Random) -> Rows:
    """Change one to four things of a table."""
    rows = [list(row) for row in rows]
    for _ in range(draw.choice((0, 0, 1, 1, 2, 4))):
        row = draw.choice(rows)
        place = draw.randrange(len(row)) if row else 0
        kind = draw.randrange(9)
        if kind <= 2 and row:
            row[place] = draw.choice(CELLS if draw.random() < 0.6 else VALUES)
        elif kind == 3:
            rows[0][draw.randrange(len(rows[0]) or 1) :][:1] = [draw.choice(NAMES)]
            if rows[0]:
                rows[0][draw.randrange(len(rows[0]))] = draw.choice(NAMES)
        elif kind == 4:
            row.insert(place, draw.choice(CELLS))
        elif kind == 5 and row:
            del row[place]
        elif kind == 6:
            rows.insert(draw.randrange(len(rows) + 1), draw.choice(([], [""], list(row))))
        elif kind == 7:
            value = draw.choice(CELLS if draw.random() < 0.6 else VALUES)
            for other in rows[1:]:
                if place < len(other):
                    other[place] = value
        elif len(rows) > 1:
            del rows[draw.randrange(len(rows))]
    return rows


def as_csv(rows: Rows, draw: random.Random) -> str:
    """Write rows with any delimiter, quotes and line ends."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(
        buffer,
        delimiter=draw.choice((",", ",", ",", ";", "\t", "|")),
        lineterminator=draw.choice(("\n", "\r\n", "\r")),
        quoting=draw.choice((csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONE)),
        escapechar=draw.choice(("\\", None, None)),
        doublequote=draw.random() < 0.8,
    )
    for row in rows:
        with suppress(csv.Error):  # nothing escapes what is in the cell
            writer.writerow(row)
    return draw.choice(("", "", "", "sep=;\n", "\n\n")) + buffer.getvalue()


def as_tsv(rows: Rows, draw: random.Random) -> str:
    end = draw.choice(("\n", "\r\n", "\r"))
    return end.join("\t".join(str(cell) for cell in row) for row in rows) + draw.choice(("", end))


def as_jsonl(rows: Rows, draw: random.Random) -> str:
    end = draw.choice(("\n", "\n", "\r\n", "\r", "\n\n"))
    names = [str(name) for name in rows[0]] if rows else []
    objects = [dict(zip(names, row, strict=False)) for row in rows[1:]]
    return end.join(json.dumps(each, ensure_ascii=draw.random() < 0.5) for each in objects)


def as_json(rows: Rows, draw: random.Random) -> str:
    names = [str(name) for name in rows[0]] if rows else []
    objects = [dict(zip(names, row, strict=False)) for row in rows[1:]]
    by_id = {str(row[0]): row[-1] for row in rows[1:] if row}
    forms: tuple[Any, ...] = (objects, by_id, [row[-1] for row in rows[1:] if row], draw.choice(VALUES))
    return json.dumps(draw.choice(forms), ensure_ascii=draw.random() < 0.5)


def as_conll(rows: Rows, draw: random.Random) -> str:
    return "\n".join(draw.choice((" ", "\t")).join(str(cell) for cell in row) for row in rows)


def as_parquet(rows: Rows, draw: random.Random) -> bytes:
    """Write rows as columns of one type each: that of the values, or text where these do not go together."""
    import pyarrow
    import pyarrow.parquet

    names = [str(name).encode("utf-8", "replace").decode() for name in rows[0]] if rows else []
    columns = []
    for place in range(len(names)):
        cells = [row[place] if place < len(row) else None for row in rows[1:]]
        try:
            column = pyarrow.array(cells)
        except (pyarrow.ArrowException, ValueError, TypeError, OverflowError):
            column = pyarrow.array([str(cell).encode("utf-8", "replace").decode() for cell in cells])
        if draw.random() < 0.1:
            with suppress(pyarrow.ArrowException, NotImplementedError):
                column = column.cast(draw.choice((pyarrow.binary(), pyarrow.float64(), pyarrow.decimal128(38, 2))))
        elif draw.random() < 0.1:
            with suppress(pyarrow.ArrowException, NotImplementedError):
                column = column.dictionary_encode()
        columns.append(column)
    buffer = io.BytesIO()
    with suppress(pyarrow.ArrowException, NotImplementedError, ValueError):
        pyarrow.parquet.write_table(pyarrow.Table.from_arrays(columns, names=names), buffer)
    return buffer.getvalue()


WRITERS: dict[str, Callable[[Rows, random.Random], str]] = {
    ".csv": as_csv, ".tsv": as_tsv, ".jsonl": as_jsonl, ".json": as_json, ".conll": as_conll,
}  # fmt: skip
KINDS = ("csv", "tsv", "jsonl", "parquet", "predictions")


def damaged_file(kind: str, folder: Path, draw: random.Random) -> Path:
    """Write the file of a case."""
    ending = f".{kind}" if kind != "predictions" else draw.choice((*WRITERS, ".parquet"))
    rows = changed(healthy(kind, draw), draw)
    if ending == ".parquet":
        content = as_parquet(rows, draw)
    else:
        content = WRITERS[ending](rows, draw).encode(draw.choice(ENCODINGS), "replace")
    if draw.random() < 0.4:
        content = mutate(content, draw)
    path = folder / f"a{ending}"
    path.write_bytes(content)
    return path


def read_table(path: Path, draw: random.Random) -> None:
    """Read a table as finetune, predict and embed do, with options that may not fit."""
    from albertkit.datasets import open_data
    from albertkit.datasets.label_check import data_warnings
    from albertkit.datasets.labels import check_labels
    from albertkit.datasets.text_files import open_texts
    from albertkit.errors import AlbertkitError

    encoding = draw.choice((*[None] * 9, "cp1252", "utf-16", "latin-1", "no-such"))
    encoding = None if path.suffix == ".parquet" and draw.random() < 0.9 else encoding
    options: dict[str, Any] = {
        "text_column": draw.choice((*[None] * 8, "text", "id", "")),
        "pair_column": draw.choice((*[None] * 8, "id")),
        "label_column": draw.choice((*[None] * 6, "label", "text", "nothing")),
        "task": draw.choice((*[None] * 6, "classification", "regression", "multilabel")),
        "labels": draw.choice((*[None] * 6, ("a", "b"), ("a", "b", "c"), ("0", "1"))),
        "skip_bad_rows": draw.random() < 0.5,
        "labelled": draw.random() < 0.8,
        "encoding": encoding,
    }
    with suppress(AlbertkitError):
        open_texts(path, encoding=encoding, pairs=True).check()
    with suppress(AlbertkitError):
        for piece in open_texts(path, text_column=options["text_column"], encoding=encoding).pieces():
            assert all(isinstance(text, str) for text in piece.texts)
    source = open_data(path, **options)
    data = source.split(source.splits[0])
    assert all(isinstance(row.text, str) for row in data) or source.task not in ("classification", "multilabel")
    data_warnings(data, data, data)
    check_labels(source.labels, where=str(path), task=source.task)


def read_predictions_of(path: Path, draw: random.Random) -> None:
    """Read a file of predictions in all ways and score it."""
    from albertkit.data.examples import TextExample
    from albertkit.datasets.dataset import Dataset
    from albertkit.datasets.prediction_files import read_numbers, read_predictions, read_tags
    from albertkit.errors import AlbertkitError
    from albertkit.evaluation.score import score_file

    column = draw.choice((None, None, None, "prediction", "nothing"))
    with suppress(AlbertkitError):
        read_numbers(path)
    with suppress(AlbertkitError):
        read_tags(path, column=column).in_order(["0", "1", None])
    with suppress(AlbertkitError):
        read_predictions(path, column=column)
    task = draw.choice(("classification", "regression", "multilabel"))
    label = {"classification": 1, "regression": 0.5, "multilabel": (0, 1)}[task]
    metrics = {"classification": "accuracy", "regression": "pearson", "multilabel": "f1"}[task]
    labels = () if task == "regression" else ("a", "b")
    refused: list[AlbertkitError] = []
    for count in ROWS:
        rows = [TextExample(f"text {number}", label=label) for number in range(count)]
        try:
            score_file(Dataset("a", "dev", task, labels, (metrics,), rows), path)
        except AlbertkitError as error:
            refused.append(error)
    if len(refused) == len(ROWS):
        raise refused[-1]


def run_case(kind: str, number: int, folder: Path) -> Cost:
    """Write and read one case.

    Raises:
        AssertionError: as `run_guarded`.
    """
    draw = random.Random(f"{kind} {number}")
    path = damaged_file(kind, folder, draw)
    read = read_predictions_of if kind == "predictions" else read_table
    try:
        return run_guarded(lambda: read(path, draw), case=f"{kind} {number}")
    finally:
        path.unlink()


def _import_readers() -> None:
    """Import what the first case would be charged for."""
    import pyarrow.parquet  # noqa: F401
    import sklearn.metrics  # noqa: F401

    import albertkit.datasets.label_check
    import albertkit.datasets.text_files
    import albertkit.evaluation.score  # noqa: F401


def fuzz(kind: str, numbers: range) -> Tally:
    """Run cases of a kind."""
    _import_readers()
    with tempfile.TemporaryDirectory(prefix="albertkit-fuzz-") as folder:
        return Tally().run(lambda number: run_case(kind, number, Path(folder)), numbers)


if __name__ == "__main__":
    command(fuzz, names=KINDS, option="kind", description=__doc__)
