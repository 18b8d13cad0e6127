"""Reports to read, print and plot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from albertkit.evaluation.report import ChosenBy, Report
from albertkit.evaluation.teacher_report import Cost, TeacherReport
from albertkit.scoring.baseline import Baseline
from albertkit.scoring.calibration import calibration
from albertkit.scoring.score import Confusion


@pytest.fixture
def make_report() -> Callable[..., Report]:
    """Return a function that builds a report with so many epochs; keyword arguments replace its fields."""

    def build(num_epochs: int = 3, **changes: Any) -> Report:
        epochs = [
            {
                "train": {"loss": 1 / number, "accuracy": 100 - 50 / number},
                "validation": {"loss": 2 / number, "accuracy": 90 - 50 / number},
            }
            for number in range(1, num_epochs + 1)
        ]
        fields: dict[str, Any] = {
            "task": "classification",
            "data": "imdb",
            "model": "albert-nano",
            "metrics": {"accuracy": 87.5, "f1": 86.25},
            "split": "test",
            "best_epoch": num_epochs or None,
            "epochs": epochs,
            "seconds": 12.5,
            "examples": 7,
            "chosen_by": ChosenBy(split="validation", metric="accuracy"),
            "examples_by_split": {"train": 11, "validation": 5, "test": 7},
            "skipped": {"train": 2, "test": 0},
            "confusion": Confusion(labels=("negative", "[red]pos"), matrix=((3, 1), (0, 3))),
            "calibration": calibration([[0.9, 0.1], [0.2, 0.8]], labels_true=[0, 0], num_bins=5),
            "baselines": (Baseline("majority", {"accuracy": 50.0, "f1": 0.0}, 0.25, ("a note",)),),
            "teacher": TeacherReport(
                model="runs/large",
                metrics={"accuracy": 91.25, "f1": 90.0},
                agreement=85.71,
                cost=Cost(parameters=11_683_584, megabytes=46.7, texts_per_second=12.5),
                student=Cost(parameters=None, megabytes=19.4, texts_per_second=1234.5),
                weight=0.5,
                temperature=2.0,
                labelled=11,
                unlabelled=40,
            ),
            "notes": ("2 rows have no label.",),
            "environment": {"torch": "2.6", "threads": 2},
            "command": {"epochs": num_epochs},
        }
        return Report(**{**fields, **changes})

    return build
