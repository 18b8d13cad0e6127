"""Tasks by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from albertkit.registry import Registry

if TYPE_CHECKING:
    from albertkit.tasks.task import Task

TASKS: Registry[Task] = Registry(
    "task",
    group="albertkit.tasks",
    table={
        "classification": "albertkit.tasks.classification:CLASSIFICATION",
        "regression": "albertkit.tasks.classification:REGRESSION",
        "multilabel": "albertkit.tasks.classification:MULTILABEL",
        "token_classification": "albertkit.tasks.token_classification:TOKEN_CLASSIFICATION",
        "multiple_choice": "albertkit.tasks.multiple_choice:MULTIPLE_CHOICE",
        "question_answering": "albertkit.tasks.question_answering:QUESTION_ANSWERING",
        "question_answering_null": "albertkit.tasks.question_answering:QUESTION_ANSWERING_NULL",
        "question_answering_v2": "albertkit.tasks.question_answering:QUESTION_ANSWERING_V2",
        "similarity": "albertkit.tasks.similarity:SIMILARITY",
    },
)
