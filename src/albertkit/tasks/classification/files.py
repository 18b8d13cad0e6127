"""Labels and numbers in files: a column of predictions by index or id, as GLUE's server wants them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from albertkit.datasets.dataset import Dataset
from albertkit.scoring.score import ScoreOptions
from albertkit.tasks.prediction_rows import json_lines, keys_of, own_ids
from albertkit.tasks.task import Predictions


def read_labels(dataset: Dataset, path: Path, options: ScoreOptions) -> list[Any]:
    """Read one label, number or set of labels per example of a split.

    Raises:
        DataError: the file cannot be used, or its rows do not fit the split.
        MissingExtraError: Parquet without pyarrow.
    """
    # Imported here, because prediction does not read prediction files.
    from albertkit.datasets.labels import parse_label
    from albertkit.datasets.prediction_files import read_predictions

    predictions = read_predictions(path, column=options.prediction_column)
    rows = predictions.in_order([example.id for example in dataset.examples], what="row")
    return predictions.read(rows, lambda row, _: parse_label(row.value, task=dataset.task, labels=dataset.labels))


def fits_cells(dataset: Dataset) -> bool:
    """Return whether labels and ids can be in the cells of a TSV file."""
    no_cell = re.compile(r"[\t\r\n|]" if dataset.task == "multilabel" else r"[\t\r\n]")
    return not any(map(no_cell.search, (*dataset.labels, *(own_ids(dataset.examples) or ()))))


def label_files(dataset: Dataset, predictions: Predictions) -> dict[str, Any]:
    """Return predictions.tsv; predictions.jsonl where a label or an id cannot be in a cell."""
    key = "index" if own_ids(dataset.examples) is None else "id"
    keys, cells = keys_of(dataset.examples), [_cell(row) for row in predictions]
    if not fits_cells(dataset):
        rows = [
            {key: name, "prediction": row.get("labels", cell)}
            for name, cell, row in zip(keys, cells, predictions, strict=True)
        ]
        return {"predictions.jsonl": json_lines(rows)}
    lines = [f"{key}\tprediction", *("\t".join(pair) for pair in zip(keys, cells, strict=True))]
    return {"predictions.tsv": "\n".join(lines) + "\n"}


def _cell(row: Mapping[str, Any]) -> str:
    number = row.get("value", row.get("similarity"))
    if number is not None:
        return repr(float(number))
    return "|".join(row["labels"]) if "labels" in row else str(row["label"])
