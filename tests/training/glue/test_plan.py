"""What is run, from which start, and what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.tiny_glue import write_glue

from albertkit.datasets.glue import TASKS
from albertkit.errors import DataError, RunError, UsageError
from albertkit.training.glue.plan import make_plan
from albertkit.training.glue.settings import GlueSettings, begin


def settings(root: Path, **changes: object) -> GlueSettings:
    return GlueSettings(**{"model": "albert-nano", "data_dir": str(root), "out": str(root / "out"), **changes})  # type: ignore[arg-type]


def test_mnli_comes_first_and_three_tasks_start_from_its_first_run(tmp_path: Path) -> None:
    plan = make_plan(settings(write_glue(tmp_path), seeds=2))
    assert plan.missing == ()
    assert [(run.task, run.seed) for run in plan.runs][:4] == [("mnli", 1), ("mnli", 2), ("cola", 1), ("cola", 2)]
    assert {run.task for run in plan.runs} == set(TASKS)
    starts = {(run.task, run.seed): run.settings.model for run in plan.runs if run.settings.model != "albert-nano"}
    assert starts == {
        (task, seed): str(tmp_path / "out" / "MNLI" / "seed-1") for task in ("rte", "mrpc", "stsb") for seed in (1, 2)
    }


def test_a_model_given_is_the_start_and_without_mnli_the_base_is(tmp_path: Path) -> None:
    write_glue(tmp_path, ["rte", "cola"])
    assert [run.settings.model for run in make_plan(settings(tmp_path)).runs] == ["albert-nano"] * 2
    given = make_plan(settings(tmp_path, nli="runs/nli"))
    assert {run.task: run.settings.model for run in given.runs} == {"rte": "runs/nli", "cola": "albert-nano"}


def test_an_mnli_run_of_before_is_a_start(tmp_path: Path) -> None:
    write_glue(tmp_path, ["rte"])
    report = tmp_path / "out" / "MNLI" / "seed-1" / "report.json"
    report.parent.mkdir(parents=True)
    report.write_text("{}")
    (run,) = make_plan(settings(tmp_path)).runs
    assert run.settings.model == str(report.parent)


def test_what_is_not_there_is_named_with_its_files(tmp_path: Path) -> None:
    write_glue(tmp_path, ["cola", "qnli", "sst2"])
    (tmp_path / "QNLI" / "train.tsv").unlink()
    (tmp_path / "SST-2" / "dev.tsv").unlink()
    plan = make_plan(settings(tmp_path, tasks=("cola", "qnli", "sst2", "mnli")))
    assert [run.task for run in plan.runs] == ["cola"]
    assert {entry.task: entry.reason for entry in plan.missing} == {
        "sst2": "no SST-2/dev.tsv (there: train.tsv, test.tsv)",
        "mnli": f"no folder MNLI with its files under {tmp_path}",
        "qnli": "no QNLI/train.tsv (there: dev.tsv, test.tsv)",
    }


@pytest.mark.slow  # unpacks the archive nine times
def test_the_real_data(shared: Path) -> None:
    plan = make_plan(settings(shared, data_dir=str(shared / "data" / "glue_and_polarity.tar.xz")))
    assert [run.task for run in plan.runs] == ["cola", "sst2", "mrpc", "stsb", "rte", "wnli"]
    assert {entry.name: entry.reason.partition(" under")[0] for entry in plan.missing} == {
        "QQP": "no QQP/train.tsv and no QQP/dev.tsv (there: dev_partial.tsv)",
        "MNLI": "no folder MNLI with its files",
        "QNLI": "no QNLI/train.tsv (there: dev.tsv, test.tsv)",
    }


def test_settings_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match='unknown GLUE task "stbs"; did you mean "stsb"'):
        settings(tmp_path, tasks=("stbs",))
    with pytest.raises(UsageError, match="seeds is 0"):
        settings(tmp_path, seeds=0)
    with pytest.raises(DataError, match="does not exist; give GLUE's folder"):
        make_plan(settings(tmp_path, data_dir=str(tmp_path / "no")))


def test_the_folder_goes_on_with_the_same_settings_alone(tmp_path: Path) -> None:
    first = settings(tmp_path, out=str(tmp_path / "out"), tasks=("rte",))
    begin(first, resume=False)
    with pytest.raises(RunError, match="give another --out or --resume to continue"):
        begin(first, resume=False)
    begin(settings(tmp_path, seeds=3, threads=1), resume=True)
    with pytest.raises(RunError, match="limit was None and is 9"):
        begin(settings(tmp_path, limit=9), resume=True)
    other = tmp_path / "other"
    other.mkdir()
    (other / "letter.txt").write_text("mine")
    with pytest.raises(RunError, match=r"exists and is not empty; give another --out$"):
        begin(settings(tmp_path, out=str(other)), resume=True)
