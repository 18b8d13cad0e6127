"""The HTTP route of similarities, which every encoder has: POST /compare."""

from __future__ import annotations

from pydantic import Field

from albertkit.tasks.route import Cut, Route, TwoTextsBody, pair_examples


class Compared(Cut):
    """How near two texts are."""

    similarity: float = Field(description="Cosine similarity of their vectors, in [-1, 1].")


COMPARE = Route(
    "compare",
    "Similarity of two texts",
    TwoTextsBody,
    Compared,
    {"text": "Oil prices rose.", "pair": "Crude became dearer."},
    {"similarity": 0.83, "cut_tokens": 0},
    examples=pair_examples,
)
