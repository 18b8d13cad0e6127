"""Names of runs in a legend, and their reports."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from albertkit.errors import RunError, UsageError
from albertkit.evaluation.report import Report
from albertkit.evaluation.runs import read_runs, run_names


@pytest.mark.parametrize(
    "folders, names",
    [
        (["a/one", "a/two"], ["one", "two"]),
        (["a/one/", "./b/one"], ["a/one", "b/one"]),
        (["x/a/one", "y/a/one", "b/one", "two"], ["x/a/one", "y/a/one", "b/one", "two"]),
    ],
)
def test_names_are_as_short_as_they_can_be(folders: list[str], names: list[str]) -> None:
    assert run_names(folders) == names


def test_the_current_folder_has_its_own_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_names(["."]) == [tmp_path.name]


def test_a_run_named_twice_is_refused() -> None:
    with pytest.raises(UsageError, match="named more than once"):
        run_names(["a/one", "a/../a/one"])


def test_reports_come_in_the_order_given(make_report: Callable[..., Report], tmp_path: Path) -> None:
    for name, metric in (("b", 1.0), ("a", 2.0)):
        (tmp_path / name).mkdir()
        make_report(metrics={"accuracy": metric}).write(tmp_path / name)
    found = read_runs([tmp_path / "b", tmp_path / "a"])
    assert [(name, report.metrics["accuracy"]) for name, report in found.items()] == [("b", 1.0), ("a", 2.0)]
    with pytest.raises(RunError, match=r"c.report\.json: not found"):
        read_runs([tmp_path / "c"])
