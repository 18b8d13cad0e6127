"""Questions of the user's own, one a row, as the hub lays SQuAD out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from albertkit.data.examples import Answer, SpanExample
from albertkit.datasets import load_dataset, open_data
from albertkit.errors import DataError, UsageError

ROWS: list[dict[str, Any]] = [
    {"id": "a", "title": "T", "context": "It is red.", "question": "Which colour?",
     "answers": {"text": ["red"], "answer_start": [6]}},
    {"id": "b", "title": "T", "context": "It is red.", "question": "Which size?",
     "answers": {"text": [], "answer_start": []}},
]  # fmt: skip


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_rows_as_the_hub_has_them(tmp_path: Path) -> None:
    data = load_dataset(write(tmp_path / "own.jsonl", ROWS))
    assert data.task == "question_answering"
    assert data[0] == SpanExample("Which colour?", "It is red.", (Answer("red", 6),), "a", "T")
    assert data[1].answers == ()


def test_parquet_as_the_hub_has_it(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")

    answers = pyarrow.struct({"text": pyarrow.list_(pyarrow.string()), "answer_start": pyarrow.list_(pyarrow.int32())})
    fields = {key: pyarrow.string() for key in ("id", "title", "context", "question")} | {"answers": answers}
    parquet.write_table(pyarrow.Table.from_pylist(ROWS, pyarrow.schema(fields)), tmp_path / "own.parquet")
    write(tmp_path / "own.jsonl", ROWS)
    assert list(load_dataset(tmp_path / "own.parquet")) == list(load_dataset(tmp_path / "own.jsonl"))


def test_the_same_as_the_published_layout(tmp_path: Path) -> None:
    questions = [
        {"id": row["id"], "question": row["question"], "is_impossible": not row["answers"]["text"],
         "answers": [{"text": text, "answer_start": 6} for text in row["answers"]["text"]]}
        for row in ROWS
    ]  # fmt: skip
    article = {"title": "T", "paragraphs": [{"context": "It is red.", "qas": questions}]}
    (tmp_path / "own.json").write_text(json.dumps({"version": "v2.0", "data": [article]}))
    assert list(load_dataset(tmp_path / "own.json")) == list(load_dataset(write(tmp_path / "own.jsonl", ROWS)))


def test_a_folder_of_splits(tmp_path: Path) -> None:
    write(tmp_path / "train.jsonl", ROWS)
    write(tmp_path / "validation.jsonl", ROWS[:1])
    write(tmp_path / "test.jsonl", [{key: row[key] for key in ("context", "question")} for row in ROWS])
    source = open_data(tmp_path)
    assert (source.task, source.splits) == ("question_answering", ("train", "dev", "test"))
    assert [len(source.split(split)) for split in source.splits] == [2, 1, 2]
    assert [(row.id, row.answers) for row in source.split("test")] == [(None, None)] * 2


def test_rows_to_answer(tmp_path: Path) -> None:
    path = write(tmp_path / "own.jsonl", [{"context": "It is red.", "question": "Which colour?"}])
    assert load_dataset(path, task="question_answering", labelled=False)[0].answers is None
    with pytest.raises(DataError, match=r'no "answers" \(there are: context, question\)'):
        load_dataset(path, task="question_answering")


def test_refusals(tmp_path: Path) -> None:
    path = write(tmp_path / "own.jsonl", [*ROWS, {**ROWS[0]}, {**ROWS[0], "id": "c", "question": None}])
    with pytest.raises(DataError, match=r'own.jsonl, line 3: its id "a" is already used.*\(and 1 more: line 4\)'):
        load_dataset(path)
    assert len(load_dataset(path, skip_bad_rows=True).skipped) == 2
    with pytest.raises(UsageError, match='labels "x" are for classification or tagging'):
        load_dataset(path, labels=["x"])
    with pytest.raises(UsageError, match="--data-dir works only with a known data set"):
        load_dataset(path, data_dir=tmp_path)
    with pytest.raises(UsageError, match='text_column "context" works only with a table of texts'):
        load_dataset(path, text_column="context", task="question_answering")
    with pytest.raises(DataError, match=r"a file for question_answering ends in \.json, \.jsonl, \.parquet"):
        load_dataset(Path(__file__), task="question_answering")
