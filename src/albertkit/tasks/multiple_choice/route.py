"""The HTTP route of multiple choice: POST /choose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from albertkit.data.examples import ChoiceExample
from albertkit.tasks.route import Body, Cut, Route
from albertkit.tasks.task import Task


class ChooseBody(Body):
    """A question about a passage, with its options."""

    context: str = Field(description="The passage.", examples=["Ada wrote the letter in May."])
    question: str = Field(description='The question; "_" marks the place of the option.', examples=["Ada wrote in _."])
    options: list[str] = Field(min_length=2, description="The options.", examples=[["May", "June"]])


class Chosen(Cut):
    """The right option."""

    choice: int = Field(description="Index of the chosen option, from 0.")
    option: str
    probabilities: list[float]


def _examples(task: Task, values: Mapping[str, Any]) -> list[ChoiceExample]:
    del task
    return [ChoiceExample(values["context"], values["question"], tuple(values["options"]))]


CHOOSE = Route(
    "choose",
    "Choose the option that answers a question",
    ChooseBody,
    Chosen,
    {"context": "Ada wrote the letter in May.", "question": "Ada wrote in _.", "options": ["May", "June"]},
    {"choice": 0, "option": "May", "probabilities": [0.9, 0.1], "cut_tokens": 0},
    examples=_examples,
)
