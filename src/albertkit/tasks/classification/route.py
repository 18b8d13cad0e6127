"""The HTTP route of classifiers: POST /classify."""

from __future__ import annotations

from pydantic import Field

from albertkit.tasks.route import Cut, PairBody, Route, pair_examples


class Classified(Cut):
    """One of three forms: a label, several labels, or a value."""

    label: str | None = Field(None, description="The most probable label.")
    labels: list[str] | None = Field(None, description="Multi-label models: the predicted labels.")
    probabilities: dict[str, float] | None = Field(None, description="Probability of each label, in [0, 1].")
    value: float | None = Field(None, description="Regression models: the predicted number.")


CLASSIFY = Route(
    "classify",
    "Labels and probabilities of a text",
    PairBody,
    Classified,
    {"text": "Oil prices rose again on Friday."},
    {"label": "Business", "probabilities": {"Business": 0.97, "World": 0.03}, "cut_tokens": 0},
    examples=pair_examples,
)
