"""When a model of SQuAD 2.0 says nothing: the threshold on its log odds, tuned on other questions than are scored."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from albertkit.data.examples import Example, SpanExample
from albertkit.errors import UsageError
from albertkit.evaluation.span_metrics import best_null_threshold
from albertkit.tasks.encoded import Encoded
from albertkit.tasks.question_answering import QuestionAnsweringTask
from albertkit.tasks.task import Task


def words_of(prediction: Mapping[str, Any]) -> str:
    """Return the best answer that has words, whether or not the prediction is "no answer"; "" where none has.

    >>> words_of({"answer": "", "n_best": [{"answer": ""}, {"answer": "Rome"}]})
    'Rome'
    """
    entries = [prediction, *prediction.get("n_best", ())]
    return next((str(entry["answer"]) for entry in entries if entry["answer"]), "")


def tuned_task(
    task: Task, outputs: Sequence[npt.NDArray[np.float32]], *, encoded: Encoded, examples: Sequence[Example]
) -> Task:
    """Return the task with the threshold that has the best F1 on these questions; as it is where there is none to tune.

    Nothing is tuned for a task that always answers, nor where all of the questions have an answer, or none has.

    Args:
        task: any task.
        outputs: what its head gave for the validation split.
        encoded: that split, tokenised.
        examples: that split.
    """
    if not isinstance(task, QuestionAnsweringTask) or task.null_threshold is None:
        return task
    questions = [example for example in examples if isinstance(example, SpanExample)]
    if len({bool(example.answers) for example in questions}) < 2:
        return task
    predictions = task.predictions(outputs, encoded, questions, labels=(), null_threshold=math.inf)
    threshold = best_null_threshold(
        [replace(example, id=str(number)) for number, example in enumerate(questions)],
        predictions={str(number): words_of(row) for number, row in enumerate(predictions)},
        null_odds={str(number): float(row["no_answer_odds"]) for number, row in enumerate(predictions)},
    )
    return replace(task, null_threshold=threshold)


def with_null_threshold(task: Task | None, threshold: float) -> Task:
    """Return the task of a model with another threshold.

    Raises:
        UsageError: it is no task of questions, or the threshold is no number.
    """
    if not isinstance(task, QuestionAnsweringTask):
        name = "a model without a task" if task is None else f"a {task.name} model"
        raise UsageError(f"a threshold for no answer goes with question answering, but this is {name}; leave it out")
    return replace(task, null_threshold=threshold)


def threshold_notes(task: Task | None) -> tuple[str, ...]:
    """Say above which log odds a model gives no answer; nothing of other tasks."""
    if not isinstance(task, QuestionAnsweringTask) or task.null_threshold is None:
        return ()
    return (f"a question counts as having no answer where the log odds of that are above {task.null_threshold:.4g}",)
