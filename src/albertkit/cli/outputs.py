"""What `predict --output` writes: the columns of the input and the predictions, as the ending of the name says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from albertkit.cli.inputs import Piece

Predictions = Sequence[Mapping[str, Any]]


@contextmanager
def open_predictions(path: str) -> Iterator[Callable[[Piece, Predictions], None]]:
    """Yield a function that appends some rows of the input with their predictions.

    A table keeps the columns of the input; the predictions follow. JSON lines have the predictions as `predict --json`
    prints them, after the other columns. A name that would be there twice is changed on the side that is new:
    "predicted_label" in a table, "input_label" in JSON lines.

    Raises:
        UsageError: a format that cannot be written.
    """
    import json

    from albertkit.errors import UsageError
    from albertkit.io.files import line_writer
    from albertkit.io.tables import WRITABLE, open_table_writer
    from albertkit.tasks.prediction_rows import prediction_columns

    ending = Path(path).suffix.lower()
    if path == "-":
        raise UsageError("--output - is no file; leave --output out to print, and add --json for JSON lines")
    if ending in (".xlsx", ".xls", ".ods"):
        raise UsageError(f"{path}: spreadsheets cannot be written; give a .csv, .tsv, .jsonl or .parquet file")
    if ending in WRITABLE:
        with open_table_writer(Path(path)) as add:
            yield lambda piece, predictions: add(
                {**piece.columns, **prediction_columns(predictions, existing=piece.columns, without=piece.same)}
            )
        return
    with line_writer(path) as write:

        def write_rows(piece: Piece, predictions: Predictions) -> None:
            for row in in_rows(piece, predictions):
                write(json.dumps(row, ensure_ascii=False))

        yield write_rows


def in_rows(piece: Piece, predictions: Predictions) -> Iterator[dict[str, Any]]:
    """Yield JSON rows: the other columns of the input, then the prediction."""
    from albertkit.io.tables import python_values

    others = {name: python_values(values) for name, values in piece.columns.items() if name not in piece.same.values()}
    for number, prediction in enumerate(predictions):
        kept = keep_other_names({name: values[number] for name, values in others.items()}, prediction)
        yield {**kept, **prediction}


def keep_other_names(row: Mapping[str, Any], keys: Mapping[str, Any] | Sequence[str]) -> dict[str, Any]:
    """Return a row as JSON has it, with "input_" before those names that are keys of a result.

    >>> keep_other_names({"id": 1, "label": "a", "stars": float("nan")}, ("text", "label"))
    {'id': 1, 'input_label': 'a', 'stars': None}
    """
    from albertkit.io.tables import json_value

    return {f"input_{name}" if name in keys else name: json_value(value) for name, value in row.items()}
