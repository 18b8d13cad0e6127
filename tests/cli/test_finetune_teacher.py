"""`albertkit finetune --teacher`: the report of both models, and what is a wrong call."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.cli.running import SHORT, Runner
from tests.tiny import keyword_rows, without_pictures, write_csv
from tests.tiny_task_teacher import random_teacher


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    without_pictures(monkeypatch)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_teacher(tmp_path_factory.mktemp("teacher") / "t")


def test_the_report_holds_both(albertkit: Runner, keywords: Path, teacher: Path, tmp_path: Path) -> None:
    lines = tmp_path / "texts.txt"
    lines.write_text("a splendid story indeed\nboring, twice\n")
    table = write_csv(tmp_path / "more.csv", [("three tedious scenes",)], columns=("text",))
    arguments = ("--data", keywords, "--out", tmp_path / "run", *SHORT, "--teacher", teacher)
    outcome = albertkit("finetune", *arguments, "--unlabelled", lines, table, "--temperature", "3", "--json")
    assert outcome.status == 0
    found = outcome.json["teacher"]
    assert outcome.json == json.loads((tmp_path / "run" / "report.json").read_text())
    assert (found["model"], found["temperature"], found["weight"], found["unlabelled"]) == (str(teacher), 3.0, 0.5, 3)
    assert 0 <= found["agreement"] <= 100
    assert set(found["cost"]) == set(found["student"]) == {"parameters", "megabytes", "texts_per_second"}
    kept = json.loads((tmp_path / "run" / "config.json").read_text())
    assert kept["unlabelled"] == [str(lines), str(table)]
    assert albertkit("evaluate", tmp_path / "run", "--data", keywords, "--json").status == 0


def test_the_table_shows_both(albertkit: Runner, keywords: Path, teacher: Path, tmp_path: Path) -> None:
    many = write_csv(tmp_path / "many.csv", keyword_rows(600))
    for data, last in ((many, "same answer, %"), (keywords, "too few examples to score")):
        out = tmp_path / data.stem
        outcome = albertkit("finetune", "--data", data, "--out", out, *SHORT, "--teacher", teacher)
        assert outcome.status == 0
        text = " ".join(outcome.out.split())
        for words in ("Model and teacher", "student teacher", "parameters", "texts per second", last):
            assert words in text, words
    assert "same answer, %" not in text


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--unlabelled", "a.txt"), "unlabelled without a teacher; add --teacher RUN"),
        (("--temperature", "2"), "temperature without a teacher; add --teacher RUN"),
        (("--teacher", "TEACHER", "--temperature", "0"), "temperature is 0.0; it must be above 0"),
        (("--teacher", "TEACHER", "--teacher-weight", "2"), "teacher-weight is 2.0; it must be above 0 and at most 1"),
        (("texts.txt",), 'unexpected argument "texts.txt"; give further training texts with --unlabelled'),
        (("--teacher", "nothing"), "not a path, and not listed by `albertkit models`"),
        (("--teacher", "TEACHER", "--task", "multilabel"), "was trained for classification, and this run on"),
    ],
)
def test_wrong_calls(
    options: tuple[Any, ...], words: str, albertkit: Runner, keywords: Path, teacher: Path, tmp_path: Path
) -> None:
    given = [teacher if option == "TEACHER" else option for option in options]
    outcome = albertkit("finetune", "--data", keywords, "--out", tmp_path / "run", *SHORT, *given, "--json")
    assert (outcome.status, outcome.out) == (2, "")
    assert words in " ".join(outcome.err.split())
    assert not (tmp_path / "run").exists()


def test_other_labels_are_named(albertkit: Runner, teacher: Path, tmp_path: Path) -> None:
    rows = [(text, label.upper() if label == "bad" else label) for text, label in keyword_rows(24)]
    data = write_csv(tmp_path / "t.csv", rows)
    outcome = albertkit("finetune", "--data", data, "--out", tmp_path / "run", *SHORT, "--teacher", teacher)
    assert outcome.status == 2
    assert "it does not know BAD and also has bad" in " ".join(outcome.err.split())
