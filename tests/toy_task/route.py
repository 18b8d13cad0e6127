"""The toy's HTTP route: POST /grade."""

from __future__ import annotations

from albertkit.tasks.route import Cut, Route, TextBody, pair_examples


class Graded(Cut):
    """A grade."""

    grade: str


GRADE = Route(
    "grade",
    "Grades of texts",
    TextBody,
    Graded,
    {"text": "A fine film."},
    {"grade": "good", "cut_tokens": 0},
    examples=pair_examples,
)
