"""Tasks by name."""

from albertkit.registry import Registry

TASKS = Registry(
    "task",
    group="albertkit.tasks",
    table={
        "classification": "albertkit.tasks.classification:CLASSIFICATION",
        "regression": "albertkit.tasks.classification:REGRESSION",
        "multilabel": "albertkit.tasks.classification:MULTILABEL",
    },
)
