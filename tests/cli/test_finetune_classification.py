"""From a table to a prediction: pairs with three labels, numbers, several labels; and tables that cannot be learned."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from tests.cli.running import ONE_THREAD, Runner
from tests.tiny import tiny_folder, without_pictures, write_csv

SHORT = (
    "--model",
    tiny_folder(),
    "--steps",
    "2",
    "--batch-size",
    "8",
    "--max-length",
    "16",
    "--no-baseline",
    *ONE_THREAD,
)


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    without_pictures(monkeypatch)


def test_entailment_of_real_pairs(albertkit: Runner, shared: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    archive = shared / "data" / "topics_ner_more.tar.xz"
    arguments = ("--data", "sick/entailment", "--data-dir", archive, "--limit", "40")
    windows = ("--long", "windows", "--class-weights", "CONTRADICTION=3")
    assert albertkit("finetune", *arguments, *windows, "--out", run, *SHORT, "--json").json["task"] == "classification"
    row = albertkit("predict", run, "a man plays", "--pair", "nobody plays", *ONE_THREAD, "--json").json
    assert set(row["probabilities"]) == {"CONTRADICTION", "ENTAILMENT", "NEUTRAL"}
    assert row["pair"] == "nobody plays"
    found = albertkit("evaluate", run, *arguments, "--split", "dev", *ONE_THREAD, "--json").json
    assert 0 <= found["metrics"]["accuracy"] <= 100
    assert found["examples"] == 40


def test_several_labels_from_lists_and_from_cells_are_the_same(albertkit: Runner, tmp_path: Path) -> None:
    rows = [("late and broken", ["late", "quality"]), ("late", ["late"]), ("no lid", ["quality"]), ("thanks", [])] * 6
    write_csv(tmp_path / "t.csv", [(text, "|".join(labels)) for text, labels in rows])
    lines = [json.dumps({"text": text, "labels": labels}) for text, labels in rows]
    (tmp_path / "t.jsonl").write_text("\n".join(lines) + "\n")
    answers = []
    for kind in ("csv", "jsonl"):
        task = () if kind == "jsonl" else ("--task", "multilabel")  # lists say it themselves
        arguments = ("--data", tmp_path / f"t.{kind}", *task, "--class-weights", "balanced", "--out", tmp_path / kind)
        assert albertkit("finetune", *arguments, *SHORT, "--json").json["task"] == "multilabel"
        answers.append(albertkit("predict", tmp_path / kind, "a late parcel", *ONE_THREAD, "--json").json)
    assert answers[0] == answers[1]
    assert set(answers[0]["probabilities"]) == {"late", "quality"}


def test_numbers_of_long_texts(albertkit: Runner, tmp_path: Path) -> None:
    data = write_csv(tmp_path / "t.csv", [("good " * n, n + 0.5) for n in range(40)])
    arguments = ("--data", data, "--long", "windows", "--out", tmp_path / "run")
    assert albertkit("finetune", *arguments, *SHORT, "--json").json["task"] == "regression"
    row = albertkit("predict", tmp_path / "run", "good " * 60, *ONE_THREAD, "--json").json
    assert isinstance(row["value"], float)


def test_tables_that_cannot_be_learned_are_one_sentence(albertkit: Runner, tmp_path: Path) -> None:
    def table(name: str, *labels: str) -> Path:
        return write_csv(tmp_path / f"{name}.csv", [(f"text {row}", label) for row, label in enumerate(labels * 12)])

    cases = (
        (table("case", "Yes", "yes "), (), r'case.csv: the labels "Yes" and "yes" differ only in case or spacing'),
        (table("one", "good"), (), r'one.csv, split .*all \d+ rows have "good", but a classifier needs at least two'),
        (table("hole", "a", "b", ""), (), r'hole.csv, line 4: the label in column "label" is missing'),
        (table("none", ""), ("--task", "multilabel"), r"none.csv: no row has a label, so there is nothing to learn"),
        (table("words", "1", "two"), ("--task", "regression"), r'words.csv, line 3: label "two" is not a number'),
    )
    for data, more, words in cases:
        told = albertkit("finetune", "--data", data, *more, "--out", tmp_path / "run", *SHORT).failure()
        assert re.search(words, told), told
        assert not (tmp_path / "run").exists()


def test_labels_in_one_cell_are_told(albertkit: Runner, tmp_path: Path) -> None:
    data = write_csv(tmp_path / "t.csv", [("a", "x|y"), ("b", "x")] * 6)
    outcome = albertkit("finetune", "--data", data, "--out", tmp_path / "run", *SHORT)
    assert outcome.status == 0
    assert 'note: the label "x|y" counts as one class; --task multilabel reads it as several labels' in outcome.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--class-weights", "spam"], '"spam" is neither balanced nor a weight for each of some labels'),
        (["--class-weights", "good=1,good=2"], "neither balanced nor"),
        (["--class-weights", "good=nan"], 'the class weight of "good" is nan; it must be a number above 0'),
        (["--class-weights", "goood=2"], 'names the label "goood", but the labels are: bad, good; did you mean "good"'),
        (
            ["--class-weights", "balanced", "--task", "regression"],
            "is for classification and multilabel",
        ),
        (["--stride", "4"], "add --long windows"),
        (["--long", "pages"], "'pages' is not one of"),
    ],
)
def test_usage_errors(arguments: list[str], words: str, albertkit: Runner, tmp_path: Path) -> None:
    data = write_csv(tmp_path / "t.csv", [("a", "1.5"), ("b", "2")] * 6)
    if "regression" not in arguments:
        data = write_csv(tmp_path / "t.csv", [("a", "good"), ("b", "bad")] * 6)
    outcome = albertkit("finetune", "--data", data, "--out", tmp_path / "run", *SHORT, *arguments)
    assert outcome.status == 2
    assert re.search(words, " ".join(outcome.err.split())), outcome.err
    assert not (tmp_path / "run").exists()
