"""Accuracy of choices: over all questions, and for each part of the data set apart (RACE: middle and high)."""

from __future__ import annotations

from collections.abc import Sequence

from albertkit.data.examples import ChoiceExample
from albertkit.errors import DataError
from albertkit.scoring.intervals import share_interval
from albertkit.scoring.score import Score


def choice_scores(examples: Sequence[ChoiceExample], *, choices: Sequence[int]) -> Score:
    """Score the options chosen.

    >>> rows = [ChoiceExample("c", "q", ("x", "y"), label=1, group=group) for group in ("high", "middle")]
    >>> choice_scores(rows, choices=[1, 0]).parts
    {'high': {'examples': 1, 'accuracy': 100.0}, 'middle': {'examples': 1, 'accuracy': 0.0}}

    Args:
        examples: the questions, each with its right option.
        choices: the index of the option chosen for each.

    Returns:
        `accuracy`, and for each group of the examples, in order of their names, its `examples` and `accuracy`.

    Raises:
        DataError: no questions, numbers that differ, or a question whose right option is not known.
    """
    if not examples:
        raise DataError("there is nothing to score: the split holds 0 questions")
    if len(examples) != len(choices):
        raise DataError(f"{len(choices)} choices for {len(examples)} questions: the numbers must agree")
    groups: dict[str, list[bool]] = {}
    right = []
    for row, (example, choice) in enumerate(zip(examples, choices, strict=True)):
        if example.label is None:
            name = f"question {row}" if example.id is None else f'question "{example.id}"'
            raise DataError(f"{name} has no known answer, so it cannot be scored; choose another split")
        right.append(choice == example.label)
        if example.group is not None:
            groups.setdefault(example.group, []).append(right[-1])
    parts: dict[str, dict[str, float]] = {
        name: {"examples": len(hits), "accuracy": 100 * sum(hits) / len(hits)} for name, hits in sorted(groups.items())
    }
    accuracy = 100 * sum(right) / len(right)
    return Score({"accuracy": accuracy}, intervals={"accuracy": share_interval(accuracy, len(right))}, parts=parts)
