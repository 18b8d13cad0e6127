"""The HTTP route of question answering: POST /answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field

from albertkit.data.examples import SpanExample
from albertkit.tasks.route import Body, Route, Texts
from albertkit.tasks.task import Task


class AnswerBody(Body):
    """Questions about one passage."""

    question: Texts = Field(description="A question or a list of questions.", examples=["Who wrote the letter?"])
    context: str = Field(description="The passage.", examples=["Ada wrote the letter in May."])


class Candidate(BaseModel):
    """Words of the passage; "" says that it holds no answer."""

    answer: str = Field(description="The answer, copied from the passage.")
    start: int = Field(description="Index of its first character in the passage.")
    end: int = Field(description="Index after its last character.")
    probability: float


class Answered(Candidate):
    """The words of the passage that answer."""

    n_best: list[Candidate] = Field(description="Up to five candidates, the most probable first.")
    no_answer_odds: float = Field(description="Log odds of no answer against the best answer.")


def _examples(task: Task, values: Mapping[str, Any]) -> list[SpanExample]:
    del task
    return [SpanExample(question, values["context"]) for question in values["question"]]


ANSWER = Route(
    "answer",
    "Answer a question from a passage",
    AnswerBody,
    Answered,
    {"question": "Who wrote the letter?", "context": "Ada wrote the letter in May."},
    {
        "answer": "Ada",
        "start": 0,
        "end": 3,
        "probability": 0.94,
        "n_best": [{"answer": "Ada", "start": 0, "end": 3, "probability": 0.94}],
        "no_answer_odds": -6.1,
    },
    examples=_examples,
    repeated=("context", "question"),
)
