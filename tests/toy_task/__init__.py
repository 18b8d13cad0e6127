# ruff: noqa: ARG002 - the signatures are those of Task
"""A task as one folder: grades texts by their angle to each grade's direction. No file of albertkit names it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from albertkit.data.examples import TextExample
from albertkit.datasets.dataset import Dataset
from albertkit.scoring.baseline import Baseline
from albertkit.scoring.metrics import score
from albertkit.scoring.score import Score
from albertkit.tasks.baselines import predicted_baseline
from albertkit.tasks.encoded import Encoded, UnitTargets
from albertkit.tasks.task import FloatArray, Task
from albertkit.text.any_tokenizer import AnyTokenizer


class Grading(Task):
    """One of several grades for a text."""

    name = "grading"
    data_task = "classification"
    head = "grades"
    objective = "tests.toy_task.head:GRADES"
    problem_type = None
    onnx_head = "tests.toy_task.head:in_onnx"
    route = "tests.toy_task.route:GRADE"

    def example_of(self, text: str, pair: str | None = None) -> TextExample:
        """Return a text."""
        assert pair is None
        return TextExample(text)

    def encode(self, tokenizer: AnyTokenizer, examples: Sequence[TextExample], *, max_length: int) -> Encoded:
        """Return one sequence per text."""
        return Encoded.one_each(tokenizer.sequences([example.text for example in examples], max_length=max_length))

    def unit_targets(self, encoded: Encoded, examples: Sequence[TextExample], *, num_labels: int) -> UnitTargets:
        """Return the number of each grade."""
        return np.array([example.label for example in examples], np.int64)

    def predictions(
        self, outputs: Sequence[FloatArray], encoded: Encoded, examples: Sequence[Any], *, labels: Sequence[str]
    ) -> list[Mapping[str, Any]]:
        """Return `{grade}`."""
        return [{"grade": labels[int(row.argmax())]} for row in outputs]

    def render(self, prediction: Mapping[str, Any]) -> str:
        """Return the grade with a star."""
        return f"* {prediction['grade']}"

    def score(
        self,
        predictions: Sequence[Mapping[str, Any]],
        examples: Sequence[TextExample],
        *,
        labels: Sequence[str],
        data: str = "",
    ) -> Score:
        """Return the metrics of a classification."""
        true, found = [one.label for one in examples], [labels.index(row["grade"]) for row in predictions]
        return score(("accuracy", "f1"), task="classification", labels_true=true, outputs=found, num_labels=len(labels))

    def baselines(
        self, train: Dataset, scored: Dataset, *, tfidf: bool = True, say: Callable[[str], None] = lambda _: None
    ) -> list[Baseline]:
        """Score the first grade for every text."""
        rows = [{"grade": scored.labels[0]} for _ in scored]
        return [
            predicted_baseline(self, "first_grade", lambda: rows, scored=scored, words="the first grade", trivial=True)
        ]


GRADING = Grading()
