"""Inputs: texts and token ids as the clients of other services send them."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, WithJsonSchema
from pydantic_core import PydanticCustomError

from albertkit.inference.running import FloatArray
from albertkit.io.vectors import unit
from albertkit.serving.capabilities import Results


class ForeignBody(BaseModel):
    """A request of another service's client; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", strict=True)


def _is_ids(value: Any) -> bool:
    return isinstance(value, list) and all(type(number) is int and number >= 0 for number in value)


def _texts_or_ids(value: Any) -> Any:
    rows = [value] if isinstance(value, str) or (_is_ids(value) and value) else value
    kinds = (lambda row: isinstance(row, str), _is_ids)
    if not isinstance(rows, list) or not any(all(map(is_kind, rows)) for is_kind in kinds):
        raise PydanticCustomError("inputs", "it must be a text, a list of texts, token ids, or a list of token ids")
    if not rows:
        raise PydanticCustomError("inputs", "it is an empty list; send one text or more")
    for number, row in enumerate(rows):
        if not row:
            raise PydanticCustomError(
                "inputs", "input {number} is empty; leave it out or send a text", {"number": number}
            )
    return rows


_TEXTS = [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]
_IDS: list[dict[str, Any]] = [
    {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1},
    {"type": "array", "items": {"type": "array", "items": {"type": "integer", "minimum": 0}}, "minItems": 1},
]
Inputs = Annotated[
    list[str] | list[list[int]], BeforeValidator(_texts_or_ids), WithJsonSchema({"anyOf": [*_TEXTS, *_IDS]})
]
"""One input or several; each is a text or the ids of its tokens in this model's vocabulary."""


def unit_vectors(results: Results) -> FloatArray:
    """Return the vectors of the route `embed` with length 1, `[texts, dimensions]`; zeros stay zeros."""
    return unit(np.array([one["vector"] for one in results], np.float32))
