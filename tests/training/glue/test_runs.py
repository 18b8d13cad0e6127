"""A whole benchmark of a tiny network: runs, table, zip; stopped and gone on with."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sklearn_metrics
from tests.tiny import leftovers, tiny_folder
from tests.tiny_glue import write_glue

from albertkit.datasets import load_dataset
from albertkit.datasets.glue import TASKS
from albertkit.errors import DataError, RunError
from albertkit.evaluation.report import Report
from albertkit.evaluation.score import score_file
from albertkit.io.locks import locked
from albertkit.training.glue import runs
from albertkit.training.glue.runs import run_glue
from albertkit.training.glue.settings import GlueSettings
from albertkit.training.glue.submission import FILES
from albertkit.training.glue.table import GlueTable

DONE = ("cola", "stsb", "mnli", "rte", "wnli")


def settings(data: Path, out: Path, **changes: Any) -> GlueSettings:
    start: dict[str, Any] = {
        "model": str(tiny_folder()),
        "data_dir": str(data),
        "out": str(out),
        "steps": 3,
        "batch_size": 8,
        "learning_rate": 5e-3,
        "max_length": 32,
        "device": "cpu",
        "precision": "fp32",
        "threads": 1,
    }
    return GlueSettings(**{**start, **changes})


class Said:
    """Keeps what is said."""

    def __init__(self) -> None:
        self.sentences: list[str] = []

    def report(self, sentence: str, *, kind: str = "info") -> None:  # noqa: ARG002 - the protocol's signature
        self.sentences.append(sentence)

    def bar(self, what: str, *, total: int) -> Any:
        from albertkit.io.progress import Silent

        return Silent().bar(what, total=total)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_glue(tmp_path_factory.mktemp("glue") / "data", DONE)


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[GlueTable, Path, list[str]]:
    out, said = tmp_path_factory.mktemp("glue") / "out", Said()
    return run_glue(settings(data, out), progress=said), out, said.sentences


def test_every_run_has_its_folder_and_its_start(whole: tuple[GlueTable, Path, list[str]]) -> None:
    table, out, said = whole
    reports = {task: Report.read(out / TASKS[task].folder / "seed-1") for task in DONE}
    assert {task: report.split for task, report in reports.items()} == dict.fromkeys(DONE, "dev")
    from_mnli = [task for task, report in reports.items() if report.model == str(out / "MNLI" / "seed-1")]
    assert from_mnli == ["stsb", "rte"]
    assert [result.task for result in table.results] == list(DONE)
    assert said[:4] == [
        f"{name} is skipped: no folder {name} with its files under {reports['rte'].command['data_dir']}"
        for name in ("SST-2", "MRPC", "QQP", "QNLI")
    ]
    done = [line for line in said if line.startswith("[") and line.endswith(" s)")]
    assert [line.partition(" seed")[0] for line in done] == [
        "[1/5] MNLI", "[2/5] CoLA", "[3/5] STS-B", "[4/5] RTE", "[5/5] WNLI",
    ]  # fmt: skip
    assert leftovers(out) == []


def test_the_predictions_of_dev_score_as_the_report_and_as_the_libraries_say(
    whole: tuple[GlueTable, Path, list[str]], data: Path
) -> None:
    _, out, _ = whole
    for task in DONE:
        folder = out / TASKS[task].folder / "seed-1"
        dataset = load_dataset(f"glue/{task}", split="dev", data_dir=data)
        found = score_file(dataset, folder / "dev.tsv")
        # Of float32 numbers the report's correlation is good to six digits.
        assert found.metrics == pytest.approx(dict(Report.read(folder).metrics), abs=1e-4), task
        words = [line.split("\t")[1] for line in (folder / "dev.tsv").read_text().splitlines()[1:]]
        true = [example.label for example in dataset]
        if task == "stsb":
            values = np.array(words, float)
            assert found.metrics["pearson"] == pytest.approx(100 * stats.pearsonr(true, values).statistic)
            assert found.metrics["spearman"] == pytest.approx(100 * stats.spearmanr(true, values).statistic)
        elif task == "cola":
            numbers = [int(word) for word in words]
            assert found.metrics["mcc"] == pytest.approx(100 * sklearn_metrics.matthews_corrcoef(true, numbers))
        else:
            numbers = [dataset.labels.index(word) for word in words]
            assert found.metrics["accuracy"] == pytest.approx(100 * sklearn_metrics.accuracy_score(true, numbers))
    mismatched = load_dataset("glue/mnli", split="dev_mismatched", data_dir=data)
    found = score_file(mismatched, out / "MNLI" / "seed-1" / "dev_mismatched.tsv")
    assert found.metrics == dict(Report.read(out / "MNLI" / "seed-1" / "dev_mismatched").metrics)


def test_the_zip_is_the_server_s_form_and_says_what_it_lacks(whole: tuple[GlueTable, Path, list[str]]) -> None:
    table, out, _ = whole
    assert table.submission.path == str(out / "submission-incomplete.zip")
    assert not (out / "submission.zip").exists()
    with zipfile.ZipFile(out / "submission-incomplete.zip") as archive:
        texts = {name: archive.read(name).decode() for name in archive.namelist()}
    rows = dict.fromkeys(("CoLA", "STS-B", "MNLI-m", "MNLI-mm", "RTE", "WNLI"), 7) | {"AX": 5}
    assert list(texts) == [f"{name}.tsv" for name in rows]
    allowed = {"CoLA": {"0", "1"}, "WNLI": {"0", "1"}, "RTE": {"entailment", "not_entailment"}}
    for name, count in rows.items():
        head, *lines = texts[f"{name}.tsv"].splitlines()
        assert head == "index\tprediction"
        assert [line.split("\t")[0] for line in lines] == [str(index) for index in range(count)]
        words = {line.split("\t")[1] for line in lines}
        if name == "STS-B":
            assert all(0 <= float(word) <= 5 for word in words)
        else:
            assert words <= allowed.get(name, {"contradiction", "entailment", "neutral"})
    problems = table.submission.problems
    assert "MRPC.tsv is missing: there is no model for mrpc" in problems
    assert "RTE.tsv has 7 rows; the official test split has 3,000" in problems
    assert len(problems) == len(FILES)


def test_wnli_is_the_commonest_label_unless_a_run_beats_it(whole: tuple[GlueTable, Path, list[str]]) -> None:
    table, out, _ = whole
    (wnli,) = [result for result in table.results if result.task == "wnli"]
    words = (out / "submission" / "seed-1" / "WNLI.tsv").read_text().split()[3::2]
    beaten = wnli.metrics["accuracy"] > wnli.majority["accuracy"]
    assert beaten == (not table.submission.notes)
    if not beaten:
        assert words == ["0"] * 7  # of 12 and 12 the first
        assert "WNLI.tsv says 0, the commonest label of training" in table.submission.notes[0]


def test_going_on_keeps_what_is_done_and_adds_seeds(
    whole: tuple[GlueTable, Path, list[str]], data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, first, _ = whole
    out = tmp_path / "out"
    shutil.copytree(first / "CoLA", out / "CoLA")
    shutil.copy(first / "glue.json", out / "glue.json")
    before = (out / "CoLA" / "seed-1" / "report.json").read_bytes()
    real, trained = runs.finetune, []

    def counted(asked: Any, **rest: Any) -> Report:
        trained.append((asked.data, asked.seed))
        return real(asked, **rest)

    monkeypatch.setattr(runs, "finetune", counted)
    again = settings(data, out, tasks=("cola",), seeds=3)
    with pytest.raises(RunError, match="exists and is not empty; give another --out or --resume"):
        run_glue(again)
    said = Said()
    table = run_glue(again, resume=True, progress=said)
    assert trained == [("glue/cola", 2), ("glue/cola", 3)]
    assert (out / "CoLA" / "seed-1" / "report.json").read_bytes() == before
    assert said.sentences[0].startswith("[1/3] CoLA seed 1: mcc")
    assert said.sentences[0].endswith("(done before)")
    (cola,) = table.results
    values = cola.values["mcc"]
    assert len(values) == 3
    assert cola.metrics["mcc"] == sorted(values)[1]
    assert cola.best.metrics["mcc"] == max(values)
    trained.clear()
    shutil.copytree(first / "WNLI", out / "WNLI")  # a task of before, not asked for now
    kept = run_glue(again, resume=True)
    assert trained == []
    assert [result.task for result in kept.results] == ["cola", "wnli"]
    assert kept.results[0].to_dict() == table.results[0].to_dict()


def test_a_run_stopped_in_the_middle_ends_as_if_it_had_not_been(
    whole: tuple[GlueTable, Path, list[str]], data: Path, tmp_path: Path
) -> None:
    _, first, _ = whole
    out = tmp_path / "out"

    class Stops(Said):
        """Interrupts at the end of an epoch, as a user may."""

        def bar(self, what: str, *, total: int) -> Any:
            if what == "validation":
                raise KeyboardInterrupt
            return super().bar(what, total=total)

    with pytest.raises(KeyboardInterrupt):
        run_glue(settings(data, out, tasks=("cola",)), progress=Stops())
    assert not (out / "CoLA" / "seed-1" / "report.json").exists()
    table = run_glue(settings(data, out, tasks=("cola",)), resume=True)
    assert table.results[0].metrics == dict(Report.read(first / "CoLA" / "seed-1").metrics)


def test_a_run_that_fails_is_named_and_the_others_go_on(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = runs.finetune

    def fails(asked: Any, **rest: Any) -> Report:
        if asked.data == "glue/mnli":
            raise RunError("the loss diverged")
        return real(asked, **rest)

    monkeypatch.setattr(runs, "finetune", fails)
    table = run_glue(settings(data, tmp_path / "out", tasks=("mnli", "rte", "cola")))
    assert [result.task for result in table.results] == ["cola"]
    assert [(entry.task, entry.reason) for entry in table.missing] == [
        ("mnli", "its runs failed"),
        ("rte", "its runs failed"),
    ]
    assert table.failed[0] == "MNLI seed 1: the loss diverged"
    assert "it starts from" in table.failed[1]


def test_another_start_for_a_finished_run_is_refused(
    whole: tuple[GlueTable, Path, list[str]], data: Path, tmp_path: Path
) -> None:
    _, first, _ = whole
    out = tmp_path / "out"
    shutil.copytree(first / "RTE", out / "RTE")  # it started from the MNLI run of another folder
    shutil.copy(first / "glue.json", out / "glue.json")
    table = run_glue(settings(data, out, tasks=("rte",)), resume=True)
    assert "would now start from" in table.failed[0]
    assert json.loads((out / "table.json").read_text())["tasks"] == []


def test_no_task_at_all(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no task of GLUE can be run"):
        run_glue(settings(tmp_path, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_locked_folder_is_refused(data: Path, tmp_path: Path) -> None:
    with locked(tmp_path / "out"), pytest.raises(RunError, match=r"out: another albertkit \(process .*\) writes there"):
        run_glue(settings(data, tmp_path / "out"))
