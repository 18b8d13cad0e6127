"""Texts without labels: read from lines and tables, kept out of what chooses and scores, refused in one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.tiny import write_csv

from albertkit.data.examples import TextExample
from albertkit.datasets.dataset import Dataset
from albertkit.errors import DataError
from albertkit.training.settings import FinetuneSettings
from albertkit.training.splits import Splits
from albertkit.training.unlabelled import with_unlabelled


def split(name: str, texts: Sequence[str], *, pair: str | None = None) -> Dataset:
    rows = [TextExample(text, pair, label=0) for text in texts]
    return Dataset("own.csv", name, "classification", ("no", "yes"), ("accuracy",), rows)


SPLITS = Splits(
    split("train", ["a film", "a plot"]), split("dev", ["one actor"]), split("test", ["two actors"]), ("n",)
)


def settings(*files: Path, **changes: Any) -> FinetuneSettings:
    return FinetuneSettings("m", "own.csv", "o", teacher="t", unlabelled=tuple(map(str, files)), **changes)


def texts_of(splits: Splits) -> list[str | tuple[str, str]]:
    assert splits.unlabelled is not None
    return [row.text if row.pair is None else (row.text, row.pair) for row in splits.unlabelled]


def test_lines_and_tables_each_text_once_and_none_of_another_split(tmp_path: Path) -> None:
    lines = tmp_path / "texts.txt"
    lines.write_text("new\nA  Film\n\nOne actor \n  new\nother\n", encoding="utf-8")
    table = write_csv(tmp_path / "t.csv", [("two actors", "x"), ("third", ""), ("", "")], columns=("text", "label"))
    found = with_unlabelled(SPLITS, settings(lines, table))
    assert texts_of(found) == ["new", "other", "third"]
    assert (found.train, found.validation, found.test) == (SPLITS.train, SPLITS.validation, SPLITS.test)
    assert found.unlabelled is not None
    assert not any(example.is_labelled for example in found.unlabelled)
    assert found.notes[0] == "n"
    said = " | ".join(found.notes)
    assert "unlabelled: left out 2 of 8 texts: they are also in the validation or scored split" in said
    assert "unlabelled: left out 2 of 8 texts: they are labelled training texts or repeat an earlier text" in said
    assert "unlabelled: left out 1 of 8 texts: they are empty" in said


def test_without_files_nothing_changes() -> None:
    assert with_unlabelled(SPLITS, settings()) is SPLITS


def test_where_the_training_texts_score_they_are_not_called_a_leak(tmp_path: Path) -> None:
    lines = tmp_path / "texts.txt"
    lines.write_text("a film\nnew\n", encoding="utf-8")
    one_split = replace(SPLITS, validation=SPLITS.train, test=SPLITS.train)
    found = with_unlabelled(one_split, settings(lines))
    assert texts_of(found) == ["new"]
    assert not any("scored" in note for note in found.notes)


def test_limit_and_columns_and_encoding(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_bytes("text,body\nx,caf\u00e9\ny,th\u00e9\nz,bar\n".encode("cp1252"))
    found = with_unlabelled(SPLITS, settings(table, limit=2, text_column="body", encoding="cp1252"))
    assert texts_of(found) == ["caf\u00e9", "th\u00e9"]


def test_pairs_come_from_tables(tmp_path: Path) -> None:
    pairs = replace(
        SPLITS, train=split("train", ["a"], pair="b"), validation=split("dev", ["c"], pair="d"),
        test=split("test", ["e"], pair="f"),
    )  # fmt: skip
    rows = [("a", "new"), ("c", "d"), ("a", "b"), ("e", "F ")]
    table = write_csv(tmp_path / "t.csv", rows, columns=("left", "right"))
    found = with_unlabelled(pairs, settings(table, text_column="left", pair_column="right"))
    assert texts_of(found) == [("a", "new")]
    usual = write_csv(tmp_path / "usual.csv", rows, columns=("sentence1", "sentence2"))
    assert texts_of(with_unlabelled(pairs, settings(usual))) == [("a", "new")]
    lines = tmp_path / "texts.txt"
    lines.write_text("one\n")
    with pytest.raises(
        DataError, match=r"holds single texts, but own\.csv holds pairs; give a table and name its --pair"
    ):
        with_unlabelled(pairs, settings(lines))
    with pytest.raises(DataError, match=r"holds pairs, but own\.csv holds single texts; .* or name its --text-column"):
        with_unlabelled(SPLITS, settings(usual))
    assert texts_of(with_unlabelled(SPLITS, settings(usual, text_column="sentence2"))) == ["new", "d", "b", "F "]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty.txt", "", r"empty\.txt: holds no text; give a file with one text per line"),
        ("blank.txt", "\n \n", r"blank\.txt: holds no text"),
        ("empty.csv", "", r"empty\.csv"),
        ("head.csv", "text\n", r"head\.csv: no usable row"),
        ("columns.csv", "a,b\n1,2\n", r"columns\.csv: no column for the text \(there are: a, b; .* give --text-column"),
        ("known.txt", "a film\nTWO ACTORS\n", r"none of the 2 unlabelled texts is left, .* \(1 in its validation or"),
        ("rows.json", '{"text": "new"}', r"rows\.json: texts come from a file with one text per line, or from a table"),
        ("missing.txt", None, r"missing\.txt: there is no such file"),
    ],
)
def test_files_that_cannot_teach(name: str, content: str | None, words: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_text(content)
    with pytest.raises(DataError, match=words) as caught:
        with_unlabelled(SPLITS, settings(path))
    assert "\n" not in str(caught.value)


def test_bad_rows_are_told_or_counted(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("text,label\nnew,1\nbroken,1,2\n")
    with pytest.raises(DataError, match=r"t\.csv, line 3: 3 columns instead of 2"):
        with_unlabelled(SPLITS, settings(table))
    found = with_unlabelled(SPLITS, settings(table, skip_bad_rows=True))
    assert texts_of(found) == ["new"]
    assert any("1 rows cannot be used and were left out" in note for note in found.notes)
