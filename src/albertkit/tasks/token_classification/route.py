"""The HTTP route of taggers: POST /tag."""

from __future__ import annotations

from pydantic import BaseModel, Field

from albertkit.tasks.route import Route, TextBody, pair_examples


class Entity(BaseModel):
    """A name."""

    type: str
    text: str
    start: int
    end: int
    probability: float


class Tagged(BaseModel):
    """Tags of the words, and the names that they make."""

    tags: list[str] = Field(description="One tag per word.")
    words: list[tuple[int, int]] = Field(description="Start and end of each word, in characters of the text.")
    entities: list[Entity]


TAG = Route(
    "tag",
    "Tag words and find entities",
    TextBody,
    Tagged,
    {"text": "Ada lives in Bath."},
    {
        "tags": ["B-PER", "O", "O", "B-LOC", "O"],
        "words": [[0, 3], [4, 9], [10, 12], [13, 17], [17, 18]],
        "entities": [
            {"type": "PER", "text": "Ada", "start": 0, "end": 3, "probability": 0.98},
            {"type": "LOC", "text": "Bath", "start": 13, "end": 17, "probability": 0.95},
        ],
    },
    examples=pair_examples,
)
