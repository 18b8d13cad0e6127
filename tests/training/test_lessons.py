"""What a run makes of a teacher: from settings to a report, with tiny networks; stops, and what may not change."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score
from tests.tiny import execution, keyword_folder, keyword_rows, settings, without_pictures, write_csv
from tests.tiny_task_teacher import keyword_teacher, random_teacher
from tests.training.test_resume import outcome, stop_after

import albertkit
from albertkit.datasets.dataset import divide
from albertkit.errors import DataError, RunError, UsageError
from albertkit.evaluation.report import Report
from albertkit.inference.predictor import Predictor
from albertkit.io.progress import Silent
from albertkit.models.pretrained import load_model
from albertkit.tasks.classification.taught import Lesson
from albertkit.training.finetune import finetune
from albertkit.training.lessons import Lessons
from albertkit.training.run_folder import RunFolder
from albertkit.training.settings import FinetuneSettings

Rows = Sequence[tuple[Any, ...]]


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures have tests of their own and cost more than these trainings."""
    without_pictures(monkeypatch)


def write_splits(
    folder: Path, *, train: Rows, dev: Rows, test: Rows, columns: Sequence[str] = ("text", "label")
) -> Path:
    folder.mkdir()
    for split, rows in (("train", train), ("dev", dev), ("test", test)):
        write_csv(folder / f"{split}.csv", rows, columns=columns)
    return folder


def write_lines(path: Path, rows: Rows) -> Path:
    path.write_text("".join(f"{row[0]}\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def keywords(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "keywords"
    return write_splits(folder, train=keyword_rows(24), dev=keyword_rows(24, seed=1), test=keyword_rows(24, seed=2))


@pytest.fixture(scope="module")
def unlabelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_lines(tmp_path_factory.mktemp("data") / "texts.txt", keyword_rows(40, seed=9))


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_teacher(tmp_path_factory.mktemp("teachers") / "teacher")


@pytest.mark.learning
def test_a_student_learns_from_unlabelled_texts_what_its_labels_do_not_say(tmp_path: Path) -> None:
    # All training labels are wrong, so whatever is right comes from the teacher.
    wrong = [(text, "bad" if label == "good" else "good") for text, label in keyword_rows(24)]
    data = write_splits(tmp_path / "d", train=wrong, dev=keyword_rows(60, seed=1), test=keyword_rows(80, seed=2))
    texts = write_lines(tmp_path / "texts.txt", keyword_rows(240, seed=9))
    given = settings(
        data, tmp_path / "run", teacher=str(keyword_teacher()), unlabelled=(str(texts),), teacher_weight=0.9,
        epochs=6, learning_rate=1e-2,
    )  # fmt: skip
    report = finetune(given)
    assert report.metrics["accuracy"] is not None
    assert report.metrics["accuracy"] > 90
    assert report.teacher is not None
    assert report.teacher.agreement is not None
    assert report.teacher.agreement > 90
    assert report.teacher.metrics["accuracy"] > 90
    assert report.teacher.cost.parameters != report.teacher.student.parameters


def test_the_report_compares_both(keywords: Path, unlabelled: Path, teacher: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    report = finetune(settings(keywords, run, teacher=str(teacher), unlabelled=(str(unlabelled),), temperature=3.0))
    found = report.to_dict()["teacher"]
    assert Report.read(run).to_dict() == report.to_dict()
    test = albertkit.load_dataset(keywords, split="test")
    texts = [example.text for example in test]
    told = {
        name: [row["label"] for row in albertkit.load(folder, execution=execution()).predict(texts)]
        for name, folder in (("student", run), ("teacher", teacher))
    }
    right = [test.labels[example.label] for example in test]
    assert found["metrics"]["accuracy"] == pytest.approx(100 * accuracy_score(right, told["teacher"]))
    assert found["agreement"] == pytest.approx(100 * accuracy_score(told["student"], told["teacher"]), abs=0.01)
    assert (found["model"], found["weight"], found["temperature"]) == (str(teacher), 0.5, 3.0)
    left_out = {text for text, _ in keyword_rows(40, seed=9)} & set(texts)
    assert found["labelled"] == 24
    assert found["unlabelled"] == report.examples_by_split["train: unlabelled"] >= 40 - len(left_out) - 4
    for cost, folder in ((found["student"], run / "model"), (found["cost"], teacher)):
        network = albertkit.load(folder).model.network
        assert cost["parameters"] == sum(each.numel() for each in network.parameters())
        assert cost["megabytes"] == round(sum(path.stat().st_size for path in folder.iterdir()) / 1e6, 3)
        assert cost["texts_per_second"] > 0
    assert report.command["teacher_weight"] == 0.5
    steps = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    first = [event for event in steps if event["event"] == "step" and event["epoch"] == 1]
    assert sum(event["examples"] for event in first) == 24 + found["unlabelled"]  # an epoch covers both
    assert report.examples_by_split == {
        "train: train": 24, "validation: dev": 24, "scored: test": 24, "train: unlabelled": found["unlabelled"],
    }  # fmt: skip


PAIRS = ("text1", "text2", "label")


def pairs(rows: Rows) -> Rows:
    return [(text, text[::-1], label) for text, label in rows]


def several(rows: Rows) -> Rows:
    return [(text, f"{label}|long" if len(text) > 25 else label) for text, label in rows]


def numbers(rows: Rows) -> Rows:
    return [(text, f"{len(text) / 7:.3f}") for text, _ in rows]


KINDS: dict[str, tuple[Any, dict[str, Any], dict[str, Any]]] = {
    # what becomes of the rows, the settings, the teacher
    "single texts": (list, {}, {}),
    "labels only": (list, {"unlabelled": ()}, {}),
    "the teacher only": (list, {"teacher_weight": 1.0}, {}),
    "pairs": (pairs, {}, {}),
    "multilabel": (several, {"task": "multilabel"}, {"task": "multilabel", "labels": ("long", "good", "bad")}),
    "regression": (numbers, {}, {"task": "regression", "labels": ()}),
    "frozen": (list, {"freeze_encoder": True, "head_hidden": (8,), "head_norm": "batch"}, {}),
    "exits": (list, {"exits": True}, {}),
    "windows": (list, {"long": "windows", "max_length": 8, "batch_tokens": 64}, {}),
    "weights": (list, {"class_weights": "balanced"}, {}),
}


def settings_of(kind: str, folder: Path, out: Path) -> FinetuneSettings:
    made, changes, told = KINDS[kind]
    columns = PAIRS if kind == "pairs" else ("text", "label")
    data, texts, teacher = folder / "data", folder / "texts.csv", folder / "teacher"
    if not data.exists():
        rows = {
            split: made(keyword_rows(count, seed=count)) for split, count in (("train", 24), ("dev", 12), ("test", 13))
        }
        write_splits(data, **rows, columns=columns)
        write_csv(texts, made(keyword_rows(20, seed=9)), columns=columns)
        random_teacher(teacher, **told)
    common = {"teacher": str(teacher), "unlabelled": (str(texts),), "batch_size": 8, "save_seconds": 0.0}
    return settings(data, out, **{**common, **changes})


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_run_has_a_report(kind: str, tmp_path: Path) -> None:
    report = finetune(settings_of(kind, tmp_path, tmp_path / "run"))
    assert report.teacher is not None
    assert (report.teacher.agreement is None) == (kind == "regression")
    assert (report.teacher.temperature is None) == (kind == "regression")
    assert (report.teacher.unlabelled == 0) == (kind == "labels only")
    assert set(report.epochs[0]["train"]) >= {"loss", *report.metrics}
    assert set(report.teacher.metrics) == set(report.metrics)


@pytest.mark.parametrize("kind", ["pairs", "frozen"])
def test_a_run_that_was_stopped_ends_with_the_same_bits(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finetune(settings_of(kind, tmp_path, tmp_path / "undisturbed"))
    given = settings_of(kind, tmp_path, tmp_path / "stopped")
    stop_after(given, 3, resume=False, monkeypatch=monkeypatch)
    finetune(given, resume=True)
    assert outcome(tmp_path / "stopped") == outcome(tmp_path / "undisturbed")


def test_an_exported_model_teaches(keywords: Path, teacher: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    from albertkit.exporting.export import export

    export(load_model(teacher), tmp_path / "onnx")
    reports = [
        finetune(settings(keywords, tmp_path / name, epochs=1, teacher=str(folder))).teacher
        for name, folder in (("one", teacher), ("two", tmp_path / "onnx"))
    ]
    assert reports[0] is not None
    assert reports[1] is not None
    assert reports[1].metrics == reports[0].metrics
    assert reports[1].cost.parameters is None
    assert reports[1].cost.megabytes > 0


def test_a_changed_teacher_or_changed_texts_are_refused(
    keywords: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, texts = tmp_path / "teacher", write_lines(tmp_path / "texts.txt", keyword_rows(20, seed=9))
    random_teacher(folder)
    given = settings(keywords, tmp_path / "run", save_seconds=0.0, teacher=str(folder), unlabelled=(str(texts),))
    stop_after(given, 2, resume=False, monkeypatch=monkeypatch)
    random_teacher(folder, seed=2)
    with pytest.raises(RunError, match=r"the run's inputs have changed since it started: the teacher changed; bring"):
        finetune(given, resume=True)
    random_teacher(folder)
    write_lines(texts, [(f"{text} quite", label) for text, label in keyword_rows(20, seed=9)])
    with pytest.raises(RunError, match="the texts of the unlabelled texts changed"):
        finetune(given, resume=True)
    write_lines(texts, keyword_rows(20, seed=9)[:15])
    with pytest.raises(RunError, match=r"there were \d+ unlabelled texts and are \d+"):
        finetune(given, resume=True)
    write_lines(texts, keyword_rows(20, seed=9))
    finetune(given, resume=True)


def test_a_run_of_an_older_version_continues(keywords: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = settings(keywords, tmp_path / "run", save_seconds=0.0)
    stop_after(given, 2, resume=False, monkeypatch=monkeypatch)
    path = tmp_path / "run" / "config.json"
    values = json.loads(path.read_text())
    for name in ("teacher", "unlabelled", "teacher_weight", "temperature"):
        del values[name]
    path.write_text(json.dumps(values))
    finetune(given, resume=True)


def test_a_teacher_that_was_trained_on_scored_texts_is_told(tmp_path: Path) -> None:
    data = write_csv(
        tmp_path / "t.csv", [(f"{text} {number}", label) for number, (text, label) in enumerate(keyword_rows(60))]
    )
    told = []
    finetune(settings(data, tmp_path / "teacher", epochs=1, test=0.2))
    for name, changes in (("same", {}), ("other", {"seed": 3})):
        given = settings(data, tmp_path / name, epochs=1, test=0.2, teacher=str(tmp_path / "teacher"), **changes)
        told.append([note for note in finetune(given).notes if note.startswith("the teacher was trained on")])
    assert told[0] == []
    assert len(told[1]) == 1
    scored = {row.text for row in divide(albertkit.load_dataset(data), fractions=(0.2,), seed=3)[1]}
    trained = divide(albertkit.load_dataset(data), fractions=(0.2, 0.1), seed=settings(data, tmp_path).seed)[0]
    assert f"{len(scored & {row.text for row in trained})} of the 12 scored texts" in told[1][0]


def test_another_student_finds_the_answers(
    keywords: Path, unlabelled: Path, teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALBERTKIT_CACHE", str(tmp_path / "cache"))
    common = {"teacher": str(teacher), "unlabelled": (str(unlabelled),), "epochs": 1}
    finetune(settings(keywords, tmp_path / "one", **common))
    files = sorted((tmp_path / "cache" / "teachers").iterdir())
    assert len(files) == 3  # labelled, unlabelled and scored texts
    times = [file.stat().st_mtime_ns for file in files]
    finetune(settings(keywords, tmp_path / "two", **common, pooling="mean", seed=5))
    assert sorted((tmp_path / "cache" / "teachers").iterdir()) == files
    assert [file.stat().st_mtime_ns for file in files] == times


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"teacher": str(keyword_folder())}, "has no task head, and this run on"),
        ({"task": "similarity", "pooling": "mean"}, "--teacher is for classification, multilabel and regression"),
        ({"unlabelled": ("nothing.txt",)}, r"nothing\.txt: there is no such file"),
        ({"teacher": "nothing"}, 'No model "nothing": not a path, and not listed by `albertkit models`'),
    ],
)
def test_bad_input_is_refused_before_anything_is_made(
    changes: dict[str, Any], words: str, keywords: Path, teacher: Path, tmp_path: Path
) -> None:
    data = keywords
    if "task" in changes:
        data = write_csv(tmp_path / "pairs.csv", [("a", "b", "1"), ("c", "d", "0")] * 12, columns=PAIRS)
    with pytest.raises((UsageError, DataError), match=words) as caught:
        finetune(settings(data, tmp_path / "run", **{"teacher": str(teacher), **changes}))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_known_data_set_takes_columns_for_the_unlabelled_tables(tmp_path: Path) -> None:
    folder = tmp_path / "SST-2"
    folder.mkdir()
    for split in ("train", "dev"):
        rows = [f"{text}\t{int(label == 'good')}" for text, label in keyword_rows(24, seed=len(split))]
        (folder / f"{split}.tsv").write_text("\n".join(["sentence\tlabel", *rows]) + "\n")
    table = write_csv(tmp_path / "t.csv", [("x", "a splendid plot"), ("y", "boring")], columns=("text", "body"))
    own = random_teacher(tmp_path / "teacher", labels=("1", "0"))
    report = finetune(
        settings(
            "glue/sst2", tmp_path / "run", data_dir=str(tmp_path), teacher=str(own), unlabelled=(str(table),),
            text_column="body", epochs=1,
        )
    )  # fmt: skip
    assert report.teacher is not None
    assert report.teacher.unlabelled == 2


def test_a_stop_while_the_teacher_answers_keeps_what_is_done(
    keywords: Path, unlabelled: Path, teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALBERTKIT_CACHE", str(tmp_path / "cache"))
    original, calls = Predictor.encode, []

    def stops(self: Predictor, examples: Any, **named: Any) -> Any:
        calls.append(len(examples))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return original(self, examples, **named)

    given = settings(keywords, tmp_path / "run", teacher=str(teacher), unlabelled=(str(unlabelled),), epochs=1)
    with monkeypatch.context() as patch:
        patch.setattr(Predictor, "encode", stops)
        with pytest.raises(KeyboardInterrupt):
            finetune(given)
    assert len(list((tmp_path / "cache" / "teachers").iterdir())) == 1
    finetune(given, resume=True)


def lessons(task: str, answers: np.ndarray, *, weight: float = 0.5) -> Lessons:
    given: Any = None  # no teacher is asked
    return Lessons(given, Lesson(task, weight, 2.0), answers.astype(np.float32), answers)


def test_the_constant_loss_is_that_of_the_best_constant_answer() -> None:
    # A teacher without an opinion, as the labels have none: half of the weight, half of the texts, log 2.
    same = np.zeros((4, 2))
    assert lessons("classification", same).constant_loss(np.array([0, 1]), weights=None) == pytest.approx(
        0.5 * np.log(2) * 2 / 4, abs=1e-5
    )
    # Numbers: the mean of the teacher's, where the labels do not count.
    told = np.array([[1.0], [4.0], [7.0]])
    found = lessons("regression", told, weight=1.0).constant_loss(np.zeros(1, np.float32), weights=None)
    assert found == pytest.approx(told.var(), rel=1e-4)


def test_a_student_that_learns_nothing_is_told(keywords: Path, unlabelled: Path, teacher: Path, tmp_path: Path) -> None:
    common = {"teacher": str(teacher), "unlabelled": (str(unlabelled),), "learning_rate": 1e-9}
    report = finetune(settings(keywords, tmp_path / "run", **common))
    assert report.verdict is not None
    assert report.verdict.outcome == "stuck"


def test_steps_that_see_no_label_have_a_loss_and_no_score(keywords: Path, teacher: Path, tmp_path: Path) -> None:
    texts = write_lines(
        tmp_path / "texts.txt", [(f"{text} {number}",) for number, (text, _) in enumerate(keyword_rows(900, seed=4))]
    )
    given = settings(
        keywords, tmp_path / "run", teacher=str(teacher), unlabelled=(str(texts),), epochs=None, steps=1, batch_size=1
    )
    report = finetune(given)
    assert report.epochs[0]["train"]["loss"] >= 0
    assert RunFolder(tmp_path / "run").load_checkpoint() is not None


def test_bars_count_texts(keywords: Path, unlabelled: Path, teacher: Path, tmp_path: Path) -> None:
    totals: dict[str, list[int]] = {}

    class Counts(Silent):
        def bar(self, what: str, *, total: int) -> Any:
            from contextlib import contextmanager

            @contextmanager
            def counting() -> Any:
                totals[what] = [total, 0]

                def advance(count: int, *, info: str = "") -> None:
                    del info
                    totals[what][1] += count

                yield advance

            return counting()

    finetune(
        settings(keywords, tmp_path / "run", teacher=str(teacher), unlabelled=(str(unlabelled),), epochs=1),
        progress=Counts(),
    )
    total, done = totals["the teacher's answers"]
    assert total == done > 48
