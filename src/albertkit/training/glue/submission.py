"""Write the zip for GLUE's server: one prediction file per test split, in the server's format.

Names, header and labels are those of the benchmark's sample submission: numbers for CoLA, SST-2, MRPC, QQP and WNLI,
words for MNLI, QNLI, RTE and AX, a number from 0 to 5 for STS-B.
"""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from albertkit.data.examples import TextExample
from albertkit.datasets import open_data
from albertkit.datasets.dataset import Dataset
from albertkit.datasets.glue import open_diagnostics
from albertkit.errors import DataError, UsageError
from albertkit.hardware.device import Execution
from albertkit.inference.predictor import Predictor
from albertkit.io.files import atomic_file
from albertkit.io.progress import Progress, counted
from albertkit.training.glue.predictions import predicted_words, write_predictions
from albertkit.training.glue.results import TaskResult

COMPLETE, INCOMPLETE = "submission.zip", "submission-incomplete.zip"


@dataclass(frozen=True)
class ServerFile:
    """One file of the zip."""

    name: str
    task: str
    """The task whose model predicts it."""
    split: str
    rows: int
    """Rows of the official test file; the server refuses any other number."""


FILES = (
    ServerFile("CoLA.tsv", "cola", "test", 1063),
    ServerFile("SST-2.tsv", "sst2", "test", 1821),
    ServerFile("MRPC.tsv", "mrpc", "test", 1725),
    ServerFile("STS-B.tsv", "stsb", "test", 1379),
    ServerFile("QQP.tsv", "qqp", "test", 390_965),
    ServerFile("MNLI-m.tsv", "mnli", "test", 9796),
    ServerFile("MNLI-mm.tsv", "mnli", "test_mismatched", 9847),
    ServerFile("QNLI.tsv", "qnli", "test", 5463),
    ServerFile("RTE.tsv", "rte", "test", 3000),
    ServerFile("WNLI.tsv", "wnli", "test", 146),
    ServerFile("AX.tsv", "mnli", "diagnostic", 1104),
)


@dataclass(frozen=True)
class Submission:
    """What was written."""

    path: str | None
    """The zip; None where there is nothing to predict."""
    files: tuple[str, ...]
    """The files in it."""
    problems: tuple[str, ...]
    """Why the server would refuse it: a sentence for each file that is not there or not whole."""
    notes: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every file of the benchmark is there with its official number of rows."""
        return not self.problems

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {**asdict(self), "complete": self.complete}


def write_submission(
    out: Path, results: Sequence[TaskResult], *, data_dir: str, execution: Execution, progress: Progress
) -> Submission:
    """Predict every test split that is there with its task's best run, and write the zip.

    Predictions stay in OUT/submission and are made again only for another run. A zip that lacks a file, or has one
    with another number of rows than the official test split, is called `submission-incomplete.zip`.

    Raises:
        DataError: a test file cannot be used.
        WriteError: the system refused a file.
    """
    folder = out / "submission"
    by_task = {result.task: result for result in results}
    texts: dict[str, str] = {}
    problems: list[str] = []
    notes: list[str] = []
    for file in FILES:
        result = by_task.get(file.task)
        if result is None:
            problems.append(f"{file.name} is missing: there is no model for {file.task}")
            continue
        try:
            dataset = _test_split(file, data_dir)
        except (UsageError, DataError) as error:
            problems.append(f"{file.name} is missing: {error}")
            continue
        path = folder / f"seed-{result.best.run.seed}" / file.name
        if not path.is_file() or _is_stale(path, result):
            words = _majority(result, notes) if file.task == "wnli" else None
            if words is None:
                predictor = Predictor.load(result.best.run.folder, execution=execution)
                with progress.bar(f"predicting {file.name}", total=len(dataset)) as advance:
                    found = predicted_words(predictor, dataset, clip=True, progress=counted(advance))
            else:
                found = [words] * len(dataset)
            write_predictions(path, dataset, found)
        elif file.task == "wnli":
            _majority(result, notes)
        texts[file.name] = path.read_text(encoding="utf-8")
        if len(dataset) != file.rows:
            skipped = f", {len(dataset.skipped)} broken rows skipped" if dataset.skipped else ""
            problems.append(
                f"{file.name} has {len(dataset):,} rows{skipped}; the official test split has {file.rows:,}"
            )
    return Submission(_write_zip(out, texts, complete=not problems), tuple(texts), tuple(problems), tuple(notes))


def _test_split(file: ServerFile, data_dir: str) -> Dataset:
    if file.split == "diagnostic":
        return open_diagnostics(Path(data_dir).expanduser()).split("test")
    return open_data(f"glue/{file.task}", data_dir=data_dir).split(file.split)


def _is_stale(path: Path, result: TaskResult) -> bool:
    """Return whether the run was made again after its predictions."""
    return path.stat().st_mtime < (result.best.run.folder / "report.json").stat().st_mtime


def _majority(result: TaskResult, notes: list[str]) -> str | None:
    """Return WNLI's commonest training label where no run beats it on dev, and say so.

    Its dev sentences are in train with the opposite label, so that learning makes dev worse than guessing; test has
    no such twins (GLUE's FAQ on WNLI).
    """
    best, majority = result.best.metrics["accuracy"], result.majority.get("accuracy")
    if majority is None or best > majority:
        return None
    confusion = result.best.report.confusion
    assert confusion is not None
    train = result.best.run.settings
    dataset = open_data(train.data, data_dir=train.data_dir).split("train").take(train.limit)
    labels = Counter(example.label for example in dataset.of(TextExample))
    word = confusion.labels[max(range(len(confusion.labels)), key=lambda index: labels[index])]
    notes.append(
        f"WNLI.tsv says {word}, the commonest label of training, for every row: the best run's accuracy on dev, "
        f"{best:.1f}, does not beat the {majority:.1f} of that answer"
    )
    return word


def _write_zip(out: Path, texts: Mapping[str, str], *, complete: bool) -> str | None:
    path, other = out / (COMPLETE if complete else INCOMPLETE), out / (INCOMPLETE if complete else COMPLETE)
    with suppress(FileNotFoundError):
        other.unlink()  # an older one could be handed in by mistake
    if not texts:
        with suppress(FileNotFoundError):
            path.unlink()
        return None
    with atomic_file(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in texts.items():
            # A fixed date: the same predictions are the same bytes.
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), text, zipfile.ZIP_DEFLATED)
    return str(path)
