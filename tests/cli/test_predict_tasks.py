"""`finetune`, `evaluate` and `predict` for questions, tags and choices, from a user's own files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.cli.running import ONE_THREAD, Runner
from tests.tiny import tiny_folder

QUESTIONS = [
    {
        "id": str(number),
        "context": f"{name} lives in {town}.",
        "question": f"Where does {name} live?",
        "answers": {"text": [town], "answer_start": [len(f"{name} lives in ")]},
    }
    for number, (name, town) in enumerate(
        zip(("Ann", "Bob", "Eve", "Tom") * 6, ("Rome", "Oslo", "Bonn") * 8, strict=True)
    )
]
TAGGED = [{"tokens": [name, "went", "home"], "tags": ["B-PER", "O", "O"]} for name in ("Ann", "Bob", "Eve", "Tom") * 6]


def lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_questions(albertkit: Runner, tmp_path: Path) -> None:
    data, run = lines(tmp_path / "questions.jsonl", QUESTIONS), tmp_path / "run"
    outcome = albertkit(
        "finetune", "--model", tiny_folder(), "--data", data, "--out", run, "--epochs", "1", "--max-length", "32",
        "--json", *ONE_THREAD,
    )  # fmt: skip
    assert outcome.status == 0, outcome.err
    assert (outcome.json["task"], list(outcome.json["metrics"])) == ("question_answering", ["exact", "f1"])
    assert [baseline["name"] for baseline in outcome.json["baselines"]] == ["first_sentence"]
    assert (run / "plots" / "history.png").is_file()
    outcome = albertkit("evaluate", run, "--data", data, "--json", *ONE_THREAD)
    assert outcome.status == 0, outcome.err
    assert outcome.json["examples"] == len(QUESTIONS)
    outcome = albertkit("predict", run, "Where does Ann live?", "--pair", "Ann lives in Rome.", "--json", *ONE_THREAD)
    assert outcome.status == 0, outcome.err
    found = outcome.json
    assert found["pair"][found["start"] : found["end"]] == found["answer"] != ""
    outcome = albertkit("predict", run, "--input", data, "--json", *ONE_THREAD)
    assert [row["id"] for row in outcome.rows] == [row["id"] for row in QUESTIONS]
    assert "needs its context" in albertkit("predict", run, "Where?", *ONE_THREAD).err


def test_tags(albertkit: Runner, tmp_path: Path) -> None:
    data, run = lines(tmp_path / "tags.jsonl", TAGGED), tmp_path / "run"
    command = ("finetune", "--model", tiny_folder(), "--data", data, "--out", run, "--epochs", "1", *ONE_THREAD)
    refused = albertkit(*command, "--freeze-encoder")
    assert refused.status == 2
    assert "--freeze-encoder needs a head that reads whole texts" in refused.err
    outcome = albertkit(*command, "--max-length", "32", "--json")
    assert outcome.status == 0, outcome.err
    assert set(outcome.json["metrics"]) == {"f1", "precision", "recall", "accuracy"}
    outcome = albertkit("predict", run, "Ann went home.", "--json", *ONE_THREAD)
    assert outcome.status == 0, outcome.err
    assert outcome.json["words"] == [[0, 3], [4, 8], [9, 13], [13, 14]]
    assert len(outcome.json["tags"]) == 4
    assert albertkit("evaluate", run, "--data", data, *ONE_THREAD).status == 0


def test_texts_without_words_are_split_as_in_training(albertkit: Runner, tmp_path: Path) -> None:
    rows = [{"tokens": ["Dr.", name, "'s", "home"], "tags": ["O", "B-PER", "O", "O"]} for name in ("Ann", "Bob") * 12]
    data, run = lines(tmp_path / "tags.jsonl", rows), tmp_path / "run"
    command = ("finetune", "--model", tiny_folder(), "--data", data, "--out", run, "--epochs", "1", *ONE_THREAD)
    assert albertkit(*command, "--max-length", "32", "--json").status == 0
    text, words = "Dr. Eve's home", [[0, 3], [4, 7], [7, 9], [10, 14]]
    assert albertkit("predict", run, text, "--json", *ONE_THREAD).json["words"] == words
    raw = lines(tmp_path / "raw.jsonl", [{"id": "a", "text": text}])
    found = albertkit("predict", run, "--input", raw, "--json", *ONE_THREAD).json
    assert (found["id"], found["words"]) == ("a", words)
