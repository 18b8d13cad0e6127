"""Report: the keys others rely on, valid JSON whatever the numbers, read and write, refusals."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from albertkit.errors import RunError
from albertkit.evaluation.few_shot import Candidate, FewShotChoice
from albertkit.evaluation.report import Report

MakeReport = Callable[..., Report]


def test_keys_are_a_contract(make_report: MakeReport) -> None:
    keys = """
        task data model metrics split best_epoch epochs seconds examples chosen_by examples_by_split skipped teacher
        confusion calibration temperature calibration_before baselines verdict few_shot notes environment command
        intervals mistakes too_few_examples
    """
    assert list(make_report().to_dict()) == keys.split()


def test_what_is_written_is_read(make_report: MakeReport, tmp_path: Path) -> None:
    report = make_report()
    path = report.write(tmp_path)
    assert path == tmp_path / "report.json"
    again = Report.read(tmp_path)
    assert again.to_dict() == report.to_dict()
    assert (again.confusion, again.calibration, again.chosen_by) == (
        report.confusion,
        report.calibration,
        report.chosen_by,
    )
    assert tuple(again.baselines) == report.baselines
    assert again.main_metric == "accuracy"


CHOICE = FewShotChoice(
    chosen="frozen_mean",
    why="frozen_mean: 71.2 accuracy",
    metric="accuracy",
    folds=5,
    candidates=(
        Candidate("frozen_mean", 71.2, 3.1, 5, strength=0.01, seconds=1.5),
        Candidate("contrastive_mean", 60.0, 2.0, 2, strength=0.1, seconds=9.5, note="stopped after 2 of 5 folds"),
    ),
    baseline=Candidate("tfidf_logistic_regression", 65.5, 4.0, 5),
)


def test_a_few_shot_choice_is_read_as_it_was_written(make_report: MakeReport, tmp_path: Path) -> None:
    make_report(few_shot=CHOICE).write(tmp_path)
    assert Report.read(tmp_path).few_shot == CHOICE
    values = json.loads((tmp_path / "report.json").read_text())
    assert list(values["few_shot"]) == ["chosen", "why", "metric", "folds", "candidates", "baseline"]
    values["few_shot"]["candidates"][0]["folds"] = "five"
    with pytest.raises(RunError, match=r'"few_shot.candidates\[0\].folds" is not a whole number'):
        Report.from_dict(values)


def test_intervals_are_pairs_of_numbers(make_report: MakeReport) -> None:
    values = make_report(intervals={"accuracy": (80.0, 90.0)}).to_dict()
    assert values["too_few_examples"] is False
    assert Report.from_dict(values).intervals == {"accuracy": (80.0, 90.0)}
    old = {name: value for name, value in values.items() if name not in ("intervals", "too_few_examples")}
    assert Report.from_dict(old).intervals == {}
    for wrong, problem in (
        ({"accuracy": [1.0]}, '"intervals.accuracy" is not a list of 2'),
        ({"accuracy": None}, '"intervals.accuracy" is not a list of 2'),
        ([80.0, 90.0], '"intervals" is not a mapping'),
        ({"accuracy": ["a", 1.0]}, r'"intervals.accuracy\[0\]" is not a number'),
    ):
        with pytest.raises(RunError, match=problem):
            Report.from_dict({**values, "intervals": wrong})


def test_numbers_that_are_not_finite_become_null(make_report: MakeReport, tmp_path: Path) -> None:
    report = make_report(
        metrics={"accuracy": math.nan},
        epochs=[{"train": {"loss": np.float32(np.inf)}, "validation": {"loss": -math.inf}}],
        best_epoch=1,
        seconds=np.float64(1.5),
        examples=np.int64(7),
        command={"path": tmp_path, "rates": np.array([0.5, np.nan]), "names": {"b", "a"}, "flag": np.True_},
    )
    text = report.write(tmp_path).read_text(encoding="utf-8")

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    values = json.loads(text, parse_constant=refuse)
    assert values["metrics"] == {"accuracy": None}
    assert values["epochs"] == [{"train": {"loss": None}, "validation": {"loss": None}}]
    assert (values["seconds"], values["examples"]) == (1.5, 7)
    assert values["command"] == {"path": str(tmp_path), "rates": [0.5, None], "names": ["a", "b"], "flag": True}
    assert Report.read(tmp_path).metrics == {"accuracy": None}


def test_what_json_cannot_hold_is_refused(make_report: MakeReport) -> None:
    with pytest.raises(TypeError, match="cannot hold a object"):
        make_report(command={"x": object()}).to_dict()


def test_a_report_of_an_evaluation_has_no_epochs(tmp_path: Path) -> None:
    Report("classification", "imdb", "runs/one", {"accuracy": 80.0}, "dev", examples=5, best_epoch=3).write(tmp_path)
    assert Report.read(tmp_path).epochs == []


def test_a_missing_or_broken_report_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"report\.json: not found, so this is not the directory of a finished run"):
        Report.read(tmp_path)
    (tmp_path / "report.json").write_text('{"task": ', encoding="utf-8")
    with pytest.raises(RunError, match="cannot be read as JSON"):
        Report.read(tmp_path)
    (tmp_path / "report.json").write_bytes(b"\xff\xfe")
    with pytest.raises(RunError, match="cannot be read as JSON"):
        Report.read(tmp_path)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"task": None, "metrics": []}, '"task" is not a text; "metrics" is not a mapping'),
        ({"best_epoch": 4}, '"best_epoch" is 4, but there are 3 epochs'),
        ({"epochs": [3]}, r'"epochs\[0\]" is not a mapping'),
        ({"wheather": 1}, 'key "wheather" is unknown'),
        ({"baselines": [{"name": "majority"}]}, "metrics"),
        ({"confusion": {"labels": ["a"]}}, "matrix"),
    ],
)
def test_keys_of_the_wrong_kind_are_named(make_report: MakeReport, change: dict[str, object], message: str) -> None:
    with pytest.raises(RunError, match=message):
        Report.from_dict({**make_report().to_dict(), **change})


def test_missing_keys_are_told_together() -> None:
    with pytest.raises(RunError, match=r'key "data" is missing; key "model" is missing'):
        Report.from_dict({"task": "classification", "metrics": {}, "split": "test"})
    with pytest.raises(RunError, match="it holds a list, not a mapping"):
        Report.from_dict([])
