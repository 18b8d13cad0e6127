"""Rows of prediction files: how they are identified, and how they are written."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any


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
