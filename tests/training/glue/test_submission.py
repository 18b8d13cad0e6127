"""The zip is complete only with every file and its official number of rows."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from tests.tiny_glue import write_glue

from albertkit.data.examples import TextExample
from albertkit.datasets.dataset import Dataset
from albertkit.datasets.glue import TASKS, open_diagnostics
from albertkit.errors import DataError
from albertkit.evaluation.report import Report
from albertkit.hardware.device import choose_execution
from albertkit.io.progress import Silent
from albertkit.scoring.baseline import Baseline
from albertkit.scoring.score import Confusion
from albertkit.training.glue import submission
from albertkit.training.glue.plan import PlannedRun
from albertkit.training.glue.predictions import predicted_words, write_predictions
from albertkit.training.glue.results import FinishedRun, TaskResult, by_task
from albertkit.training.glue.submission import FILES, ServerFile, Submission, write_submission
from albertkit.training.settings import FinetuneSettings

# The rows of the benchmark's test splits, as its data card has them.
OFFICIAL = {
    "CoLA": 1063, "SST-2": 1821, "MRPC": 1725, "STS-B": 1379, "QQP": 390965, "MNLI-m": 9796, "MNLI-mm": 9847,
    "QNLI": 5463, "RTE": 3000, "WNLI": 146, "AX": 1104,
}  # fmt: skip


class Answers:
    """Replaces a trained model: the first label, or a number beyond the scale."""

    def __init__(self, task: str) -> None:
        self.labels = TASKS[task].labels

    @classmethod
    def load(cls, folder: Path, **_: object) -> Answers:
        return cls(next(task for task, spec in TASKS.items() if spec.folder == folder.parent.name))

    def predict_examples(self, examples: list[TextExample], **_: object) -> list[dict[str, object]]:
        if not self.labels:
            return [{"value": 5.75 if number % 2 else -0.25} for number, _ in enumerate(examples)]
        return [{"label": self.labels[0]} for _ in examples]


@pytest.fixture
def results(tmp_path: Path) -> list[TaskResult]:
    """Finished runs of all nine tasks on a made-up GLUE, without a model."""
    data = write_glue(tmp_path / "data", rows=6)
    finished = []
    for task, spec in TASKS.items():
        folder = tmp_path / "out" / spec.folder / "seed-1"
        run = PlannedRun(task, 1, FinetuneSettings("m", f"glue/{task}", str(folder), data_dir=str(data)))
        metrics = dict.fromkeys(spec.metrics, 60.0)
        report = Report(
            "classification", f"glue/{task}", "m", metrics, "dev",
            confusion=Confusion(spec.labels, ()),
            baselines=[Baseline("majority", dict.fromkeys(spec.metrics, 55.0), 0.0)],
        )  # fmt: skip
        report.write(folder)
        finished.append(FinishedRun(run, report, metrics))
    return list(by_task(finished))


def write(results: list[TaskResult], tmp_path: Path) -> Submission:
    return write_submission(
        tmp_path / "out",
        results,
        data_dir=str(tmp_path / "data"),
        execution=choose_execution(device="cpu", precision="fp32", threads=1),
        progress=Silent(),
    )


def test_the_files_and_rows_are_the_official_ones() -> None:
    assert {file.name.removesuffix(".tsv"): file.rows for file in FILES} == OFFICIAL


def test_complete_then_not_then_the_same_bytes_again(
    results: list[TaskResult], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submission, "Predictor", Answers)
    short = tuple(replace(file, rows=5 if file.name == "AX.tsv" else 7) for file in FILES)
    monkeypatch.setattr(submission, "FILES", short)
    found = write(results, tmp_path)
    assert (found.complete, found.problems, found.notes) == (True, (), ())
    path = tmp_path / "out" / "submission.zip"
    assert found.path == str(path)
    before = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        assert set(archive.namelist()) == {f"{name}.tsv" for name in OFFICIAL}
        assert archive.read("STS-B.tsv").decode().split()[3:6:2] == ["0", "5"]
        assert archive.read("MNLI-mm.tsv").decode().splitlines()[1] == "0\tcontradiction"
        assert archive.read("QNLI.tsv").decode().splitlines()[7] == "6\tentailment"
        assert archive.read("QQP.tsv").decode().splitlines()[1] == "0\t0"

    (tmp_path / "data" / "RTE" / "test.tsv").unlink()
    lacking = write(results, tmp_path)
    assert lacking.path == str(tmp_path / "out" / "submission-incomplete.zip")
    assert not path.exists()
    (problem,) = lacking.problems
    assert problem.startswith('RTE.tsv is missing: glue/rte has no split "test"')

    write_glue(tmp_path / "data", ["rte"], rows=6)
    assert write(results, tmp_path).complete
    assert path.read_bytes() == before
    assert not (tmp_path / "out" / "submission-incomplete.zip").exists()


def test_wnli_that_does_not_beat_the_commonest_label(
    results: list[TaskResult], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submission, "FILES", (ServerFile("WNLI.tsv", "wnli", "test", 7),))
    lines = (tmp_path / "data" / "WNLI" / "train.tsv").read_text().splitlines()
    lines[1] = lines[1][:-1] + "1"  # four of six are 1 now
    (tmp_path / "data" / "WNLI" / "train.tsv").write_text("\n".join(lines) + "\n")
    (wnli,) = [result for result in results if result.task == "wnli"]
    worse = TaskResult("wnli", (replace(wnli.runs[0], metrics={"accuracy": 50.0}),))
    found = write([worse], tmp_path)
    assert (tmp_path / "out" / "submission" / "seed-1" / "WNLI.tsv").read_text().split()[3::2] == ["1"] * 7
    assert "WNLI.tsv says 1, the commonest label of training, for every row" in found.notes[0]
    assert "50.0, does not beat the 55.0" in found.notes[0]


def test_nothing_to_predict(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    found = write([], tmp_path)
    assert (found.path, found.files, len(found.problems)) == (None, (), 11)


def test_rows_keep_their_own_index_and_dev_is_not_clipped(tmp_path: Path) -> None:
    examples = [TextExample("a", "b", id="41"), TextExample("c", "d")]
    dataset = Dataset("glue/stsb", "dev", "regression", (), ("pearson",), examples)
    stand_in = Answers("stsb")
    assert predicted_words(stand_in, dataset) == ["-0.25", "5.75"]  # type: ignore[arg-type]
    assert predicted_words(stand_in, dataset, clip=True) == ["0", "5"]  # type: ignore[arg-type]
    write_predictions(tmp_path / "p.tsv", dataset, ["1", "2"])
    assert (tmp_path / "p.tsv").read_text() == "index\tprediction\n41\t1\n1\t2\n"


def test_the_diagnostics_have_one_split_without_labels(tmp_path: Path) -> None:
    write_glue(tmp_path, ["mnli"], rows=6)
    source = open_diagnostics(tmp_path)
    assert source.splits == ("test",)
    rows = source.split("test")
    assert (len(rows), rows.labels) == (5, ("contradiction", "entailment", "neutral"))
    assert not any(example.is_labelled for example in rows)
    with pytest.raises(DataError, match=r"no diagnostic/diagnostic.tsv under"):
        open_diagnostics(tmp_path / "MNLI")
