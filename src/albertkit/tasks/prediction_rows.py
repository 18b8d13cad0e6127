"""Rows of prediction files: how they are identified, and how they are written."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np


def own_ids(examples: Sequence[Any]) -> tuple[str, ...] | None:
    """Return the examples' own ids where all have one, without blanks around it, and no two the same; else None.

    >>> from albertkit.data.examples import TextExample
    >>> own_ids([TextExample("a", id="x"), TextExample("b")])
    """
    own = tuple(example.id for example in examples if example.id and example.id == example.id.strip())
    return own if len(set(own)) == len(examples) > 0 else None


def keys_of(examples: Sequence[Any]) -> Sequence[str]:
    """Return what the rows of a file of predictions go by: the examples' own ids, else their numbers from 0."""
    return own_ids(examples) or [str(number) for number in range(len(examples))]


def json_lines(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows as JSON, one per line."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def prediction_columns(
    predictions: Sequence[Mapping[str, Any]],
    *,
    existing: Collection[str] = (),
    without: Collection[str] = ("text", "pair"),
) -> dict[str, Any]:
    """Return the columns that a table of predictions has: "probability_" and the label for each probability.

    >>> row = {"text": "a", "label": "pos", "probabilities": {"neg": 0.25, "pos": 0.75}}
    >>> list(prediction_columns([row], existing=["review", "label"]))
    ['predicted_label', 'probability_neg', 'probability_pos']
    >>> list(prediction_columns([row], existing=["label", "predicted_label", "probability_neg"]))[:2]
    ['predicted_predicted_label', 'predicted_probability_neg']

    Args:
        predictions: of each row.
        existing: columns that are there; a prediction with the name of one gets "predicted_" before it, so that no
            column is lost.
        without: keys that are left out.
    """
    found: dict[str, Any] = {}
    for key in dict.fromkeys(key for row in predictions for key in row if key not in without):
        values: list[Any] = [row.get(key) for row in predictions]
        if key == "probabilities":
            shares = {label: [each[label] for each in values] for label in values[0]}
            found |= {f"probability_{label}": np.array(each, np.float64) for label, each in shares.items()}
        else:
            found[key] = np.array(values, np.float64) if all(isinstance(each, float) for each in values) else values
    return {_free(key, existing): values for key, values in found.items()}


def _free(name: str, existing: Collection[str]) -> str:
    return name if name not in existing else _free(f"predicted_{name}", existing)
