"""Route: a path of the HTTP service, and the bodies of requests and answers that several share. With pydantic."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from albertkit.tasks.task import Task


def _several(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Texts = Annotated[
    list[str],
    BeforeValidator(_several),
    Field(min_length=1),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}),
]
"""A text or a list of texts: the answer has one result each, in their order."""


class Body(BaseModel):
    """A request: unknown fields are refused, and a number is not taken for a text."""

    model_config = ConfigDict(extra="forbid", strict=True)


class TextBody(Body):
    """One text or several."""

    text: Texts = Field(description="A text or a list of texts.", examples=["Oil prices rose again on Friday."])


class PairBody(TextBody):
    """Texts, each with a second one where the model is for pairs."""

    pair: Texts | None = Field(
        None, description="The second text of each pair, for models of text pairs; same length as text."
    )


class TwoTextsBody(TextBody):
    """Two texts, or as many first as second ones."""

    pair: Texts = Field(
        description="The second text of each pair; same length as text.", examples=["Crude became dearer."]
    )


class Cut(BaseModel):
    """Says what was not read."""

    cut_tokens: int = Field(
        description="Number of tokens at the end of the text that the model did not read; 0: it read everything."
    )


@dataclass(frozen=True)
class Route:
    """One path, POST /<name>; what it takes and answers, with an example of both for OpenAPI."""

    name: str
    summary: str
    body: type[BaseModel]
    result: type[BaseModel]
    """Of one text; the answer holds a list of them. A `Cut` is told how many tokens were not read."""
    given: Mapping[str, Any]
    """A body."""
    found: Mapping[str, Any]
    """Its result."""
    examples: Callable[[Task, Mapping[str, Any]], list[Any]] | None = None
    """Of a task: from it and the fields of a body to its examples."""
    repeated: tuple[str, str] | None = None
    """Two fields of the body: the model reads the first, a text, once for each text of the second."""


def text_pairs(values: Mapping[str, Any]) -> list[tuple[str, str | None]]:
    """Return each text of a body with its second text, or None.

    >>> text_pairs({"text": ["a", "b"], "pair": None})
    [('a', None), ('b', None)]
    """
    texts = values["text"]
    return list(zip(texts, values.get("pair") or [None] * len(texts), strict=True))


def pair_examples(task: Task, values: Mapping[str, Any]) -> list[Any]:
    """Return a task's example of each text of a body, with its second text where there is one."""
    return [task.example_of(*pair) for pair in text_pairs(values)]
