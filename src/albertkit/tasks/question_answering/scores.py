"""Scores of a model's answers: the official ones, those of the parts, and the best ones over all thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from albertkit.data.examples import SpanExample
from albertkit.scoring.intervals import share_interval
from albertkit.scoring.score import Score
from albertkit.tasks.question_answering.decode import best_words
from albertkit.tasks.question_answering.metrics import VERSION_OF, span_scores
from albertkit.tasks.task import Predictions


def question_scores(predictions: Predictions, examples: Sequence[SpanExample], *, data: str = "") -> Score:
    """Return the official scores of predicted answers.

    Args:
        predictions: `answer` of each question, with `no_answer_odds` also the best scores over all thresholds.
        examples: the questions.
        data: name of the data set; squad/v1 and squad/v2 are scored by their own scripts, whatever the part holds.

    Raises:
        DataError: nothing to score.
    """
    questions, version = numbered(examples), VERSION_OF.get(data)
    given = {str(number): str(row["answer"]) for number, row in enumerate(predictions)}
    found = span_scores(questions, predictions=given, version=version)
    parts = {
        f"{part}/{name}": value
        for part, rows in found.parts.items()
        for name, value in rows.items()
        if name in ("exact", "f1")
    }
    best, notes = _best_scores(questions, predictions, version) if "NoAns" in found.parts else ({}, ())
    intervals = {name: share_interval(found.metrics[name], len(examples)) for name in ("exact", "f1")}
    return Score({**found.metrics, **best, **parts}, notes, intervals)


def numbered(examples: Sequence[SpanExample]) -> list[SpanExample]:
    """Return questions whose ids are their numbers from 0."""
    return [replace(example, id=str(number)) for number, example in enumerate(examples)]


def _best_scores(
    questions: Sequence[SpanExample], predictions: Predictions, version: str | None
) -> tuple[dict[str, float], tuple[str, ...]]:
    """Return the official script's best_exact and best_f1, from the answers before any threshold and the odds."""
    if any("no_answer_odds" not in row for row in predictions):
        return {}, ()
    found = span_scores(
        questions,
        predictions={str(number): best_words(row) for number, row in enumerate(predictions)},
        version=version,
        null_odds={str(number): float(row["no_answer_odds"]) for number, row in enumerate(predictions)},
    )
    thresholds = " and ".join(f"{value:.4g}" for value in found.thresholds.values())
    note = (
        f"best_exact and best_f1 use thresholds ({thresholds}) chosen on the same split that they score; compare "
        "them only with published best scores"
    )
    return {name: found.metrics[name] for name in ("best_exact", "best_f1")}, (note,)
