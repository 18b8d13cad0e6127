"""Tables of triplets, and of pairs that belong together: the columns anchor, positive and negative."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.tiny import write_csv

from albertkit.data.examples import TextExample
from albertkit.datasets import load_dataset, open_data
from albertkit.errors import DataError

ROWS = [("a dog", "a hound", "a cat"), ("a film", "a movie", "a plot")]


def test_each_row_belongs_together(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv", ROWS, columns=("anchor", "positive", "negative"))
    source = open_data(path)
    assert (source.task, source.metrics, source.labels) == ("regression", ("pearson", "spearman"), ())
    assert list(source.split("train")) == [
        TextExample(text, pair, label=1.0, negatives=(negative,)) for text, pair, negative in ROWS
    ]
    assert open_data(path, task="regression").split("train").examples == source.split("train").examples


def test_several_negatives_and_none(tmp_path: Path) -> None:
    columns = ("Query", "Positive", "negative_1", "negative_2")
    (row,) = load_dataset(write_csv(tmp_path / "n.csv", [("a", "b", "c", "d")], columns=columns))
    assert row == TextExample("a", "b", label=1.0, negatives=("c", "d"))
    (row,) = load_dataset(write_csv(tmp_path / "p.csv", [("a", "b")], columns=("anchor", "positive")))
    assert row == TextExample("a", "b", label=1.0)
    named = write_csv(tmp_path / "o.csv", [("a", "b", "c")], columns=("text", "near", "negative"))
    (row,) = load_dataset(named, text_column="text", pair_column="near")
    assert row == TextExample("a", "b", label=1.0, negatives=("c",))


def test_a_frame(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(ROWS, columns=["anchor", "positive", "negative"])
    path = write_csv(tmp_path / "t.csv", ROWS, columns=("anchor", "positive", "negative"))
    assert load_dataset(frame).examples == load_dataset(path).examples


def test_other_tables_stay_what_they_are(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "m.csv", [("fine", "1", "0", "pos")], columns=("text", "positive", "negative", "label"))
    (row,) = load_dataset(path)
    assert (row.text, row.pair, row.negatives) == ("fine", None, ())
    scored = write_csv(tmp_path / "s.csv", [("a", "b", "0.5")], columns=("anchor", "positive", "label"))
    assert load_dataset(scored, task="regression")[0].label == 0.5
    unlabelled = open_data(scored, labelled=False).split("train")
    assert unlabelled[0] == TextExample("a", "b")


def test_refusals(tmp_path: Path) -> None:
    columns = ("anchor", "positive", "negative")
    without = write_csv(tmp_path / "w.csv", [*ROWS, ("one", "two", "")], columns=columns)
    with pytest.raises(DataError, match=r'w\.csv, line 4: column "negative" is empty, and a triplet needs each of its'):
        load_dataset(without)
    assert len(load_dataset(without, skip_bad_rows=True)) == 2
    labelled = write_csv(tmp_path / "l.csv", [("a", "b", "c", "1")], columns=(*columns, "label"))
    with pytest.raises(DataError, match='columns "negative" and "label": a triplet has no label; leave one'):
        load_dataset(labelled)
    path = write_csv(tmp_path / "t.csv", ROWS, columns=columns)
    with pytest.raises(DataError, match=r"train vectors, not classification; pass --task similarity"):
        open_data(path, task="classification")
    same = load_dataset(write_csv(tmp_path / "e.csv", [("a", "b", "b")], columns=columns))
    assert "1 negatives are the same text as their positive" in same.warnings[0]
