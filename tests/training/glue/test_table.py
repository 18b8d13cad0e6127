"""The table: medians, dashes for what is missing, no average unless all is there."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from albertkit.evaluation.report import Report
from albertkit.scoring.baseline import Baseline
from albertkit.training.glue.plan import Missing, PlannedRun
from albertkit.training.glue.results import FinishedRun, TaskResult, by_task
from albertkit.training.glue.submission import Submission
from albertkit.training.glue.table import SHOWN, GlueTable
from albertkit.training.settings import FinetuneSettings

NOTHING = Submission(None, (), ("all",))


def result(task: str, *values: dict[str, float]) -> TaskResult:
    runs = []
    for seed, metrics in enumerate(values, start=1):
        run = PlannedRun(task, seed, FinetuneSettings("m", f"glue/{task}", f"o/{task}/seed-{seed}"))
        majority = Baseline("majority", dict.fromkeys(metrics, 50.0), 0.0)
        report = Report("classification", f"glue/{task}", "m", metrics, "dev", baselines=(majority,), seconds=2.0)
        runs.append(FinishedRun(run, report, metrics))
    return by_task(runs)[0]


def test_medians_values_and_the_best_seed() -> None:
    found = result("mrpc", *({"accuracy": a, "f1": f} for a, f in ((70.0, 80.0), (73.0, 79.0), (71.0, 85.0))))
    assert found.metrics == {"accuracy": 71.0, "f1": 80.0}
    assert found.values["f1"] == [80.0, 79.0, 85.0]
    assert found.best.run.seed == 2  # by accuracy, the task's first metric
    assert found.to_dict()["seconds"] == 6.0


def test_what_is_missing_is_a_dash_with_its_reason_and_no_average() -> None:
    table = GlueTable("mine", (result("cola", {"mcc": 12.34}),), (Missing("mnli", "no MNLI/train.tsv"),), NOTHING)
    assert table.average is None
    head, ours, majority, *published = table.rows()
    assert ours[:4] == ["mine", "12.3", "-", "-"]
    assert majority[1:3] == ["50.0", "-"]
    assert head[1] == "CoLA mcc"
    assert head[3] == "MRPC f1/acc"
    xxlarge = published[-1]
    assert xxlarge[head.index("STS-B pearson/spearman")] == "93.0/-"
    assert xxlarge[head.index("MNLI m/mm")] == "90.8/-"
    text = table.markdown()
    assert "MNLI is missing: no MNLI/train.tsv." in text
    assert "There is no average" in text
    assert table.to_dict()["average"] is None


def test_the_average_is_glue_s_when_all_is_there(tmp_path: Path) -> None:
    numbers = {task: dict.fromkeys(metrics, 10.0 * place) for place, (task, metrics) in enumerate(SHOWN.items())}
    numbers["mnli"] = {"accuracy": 80.0, "accuracy_mismatched": 70.0}
    table = GlueTable("m", tuple(result(task, metrics) for task, metrics in numbers.items()), (), NOTHING)
    # 0 10 20 30 40 (80+70)/2 60 70 80
    assert table.average == pytest.approx((0 + 10 + 20 + 30 + 40 + 75 + 60 + 70 + 80) / 9)
    table.write(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["table.json", "table.md"]


def test_every_seed_s_value_is_said() -> None:
    text = GlueTable("m", (result("rte", {"accuracy": 52.0}, {"accuracy": 56.0}),), (), NOTHING).markdown()
    assert "RTE, seeds 1 to 2: acc 52.0, 56.0." in text
    assert "this run, median of 2 seeds" in text


def test_on_a_terminal() -> None:
    file = io.StringIO()
    table = GlueTable("a[b]", (result("rte", {"accuracy": 52.0}),), (Missing("qqp", "no QQP/[train].tsv"),), NOTHING)
    table.render(Console(file=file, width=110))
    text = file.getvalue()
    assert "a[b]" in text
    assert "QQP is missing: no QQP/[train].tsv." in text
    assert any(line.split()[:4] == ["RTE", "acc", "52.0", "50.0"] for line in text.splitlines())
