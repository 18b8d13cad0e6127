"""Questions with options of the user's own, one a row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from albertkit.data.examples import ChoiceExample
from albertkit.datasets import load_dataset, open_data
from albertkit.datasets.choices import choice_index
from albertkit.errors import DataError

ROW: dict[str, Any] = {"context": "It is red.", "question": "Its colour?", "options": ["red", "blue"], "label": 1}


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_rows(tmp_path: Path) -> None:
    data = load_dataset(write(tmp_path / "own.jsonl", [ROW, {**ROW, "label": "A", "options": ["a", "b", "c"]}]))
    assert (data.task, data.metrics) == ("multiple_choice", ("accuracy",))
    assert data[0] == ChoiceExample("It is red.", "Its colour?", ("red", "blue"), 1)
    assert (data[1].label, len(data[1].options)) == (0, 3)


def test_rows_as_the_hub_has_race(tmp_path: Path) -> None:
    row = {"example_id": "high1.txt", "article": "It is red.", "answer": "B", "question": "Q", "options": ["a", "b"]}
    data = load_dataset(write(tmp_path / "own.jsonl", [row, row]))
    assert [example.id for example in data] == ["high1.txt-0", "high1.txt-1"]  # as data set "race" calls them
    assert (data[0].context, data[0].label) == ("It is red.", 1)


def test_a_context_is_not_needed(tmp_path: Path) -> None:
    rows = [{key: ROW[key] for key in ("question", "options", "label")}]
    assert load_dataset(write(tmp_path / "own.jsonl", rows))[0].context == ""


def test_rows_to_answer(tmp_path: Path) -> None:
    rows = [{key: ROW[key] for key in ("context", "question", "options")}]
    write(tmp_path / "train.jsonl", [ROW])
    write(tmp_path / "test.jsonl", rows)
    assert open_data(tmp_path).split("test")[0].label is None
    path = tmp_path / "test.jsonl"
    assert load_dataset(path, task="multiple_choice", labelled=False)[0].label is None
    with pytest.raises(DataError, match=r'no "label" \(there are: context, question, options\)'):
        load_dataset(path)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"options": []}, "no options, but a choice needs two"),
        ({"options": None}, '"options" is missing, not a list'),
        ({"label": 2}, 'the option "2" is not there: there are 2, A to B or 0 to 1'),
        ({"label": -1}, 'the option "-1" is not there'),
        ({"label": "C"}, 'the option "C" is not there'),
        ({"label": None}, "the option is missing"),
        ({"label": True}, "the option True is neither a letter"),
        ({"context": None, "question": " "}, "both context and question are empty"),
        ({"id": 1}, 'its id "1" is already used'),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = write(tmp_path / "own.jsonl", [{**ROW, "id": 1}, {**ROW, "id": 2, **change}])
    with pytest.raises(DataError, match=f"own.jsonl, line 2: {message}.*--skip-bad-rows"):
        load_dataset(path)
    assert [row.id for row in load_dataset(path, skip_bad_rows=True)] == ["1"]


def test_letters_and_numbers() -> None:
    options = ["w", "x", "y", "z"]
    assert [choice_index(value, options=options) for value in ("a", " D ", "3", 3, "0")] == [0, 3, 3, 3, 0]
