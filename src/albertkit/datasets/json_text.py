"""JSON as data files hold it: a key that one object has twice is refused, since all but one value would be lost."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any


def parse_json(text: str) -> Any:
    """Return what a JSON text holds.

    >>> parse_json('{"a": [1, null]}')
    {'a': [1, None]}

    Raises:
        ValueError: not JSON, or an object has a key twice; the sentence is for `BadRows.add`.
    """
    try:
        return json.loads(text, object_pairs_hook=_object)
    except _DoubleKeyError:
        raise
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not JSON ({error})") from error


def parse_object(text: str) -> dict[str, Any]:
    """Return the JSON object that a line holds.

    Raises:
        ValueError: see `parse_json`, or the line holds something else.
    """
    row = parse_json(text)
    if not isinstance(row, dict):
        raise ValueError(f"a JSON {type(row).__name__} instead of an object of column names and values")
    return row


class _DoubleKeyError(ValueError):
    """An object has a key twice."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        ((twice, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise _DoubleKeyError(f'the key "{twice:.40}" is there twice in one object; keep one of them')
    return found
