"""A user's own tables: columns, tasks, splits and what is refused."""

from __future__ import annotations

import csv
import json
import time
from pathlib import Path
from typing import Any

import pytest

from albertkit.datasets import load_dataset, open_data, require_two_labels
from albertkit.errors import AlbertkitError, DataError, UsageError

ROWS = [("fine", "pos"), ("dull", "neg"), ("so, so", "pos")]


def csv_file(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet"])
def test_four_kinds_hold_the_same(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"reviews.{kind}"
    if kind == "csv":
        csv_file(path, "id,review,label", *(f'{i},"{text}",{label}' for i, (text, label) in enumerate(ROWS)))
    elif kind == "tsv":
        csv_file(path, "id\treview\tlabel", *(f"{i}\t{text}\t{label}" for i, (text, label) in enumerate(ROWS)))
    elif kind == "jsonl":
        csv_file(path, *(json.dumps({"review": text, "label": label}) for text, label in ROWS))
    else:
        arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        table = arrow.table({"review": [text for text, _ in ROWS], "label": [label for _, label in ROWS]})
        parquet.write_table(table, path)
    source = open_data(path)
    assert (source.splits, source.task, source.metrics) == (("train",), "classification", ("accuracy", "f1"))
    data = source.split("all")
    assert (data.name, data.split, data.labels) == (str(path), "train", ("neg", "pos"))
    assert [(row.text, row.label) for row in data] == [("fine", 1), ("dull", 0), ("so, so", 1)]


def test_columns_by_name_and_by_default(tmp_path: Path) -> None:
    path = csv_file(
        tmp_path / "a.csv", "headline,Body,Sentence_A,Sentence_B,Label,score", "h,b,p,q,1,0.5", "H,B,P,Q,0,4"
    )
    assert [(row.text, row.pair, row.label) for row in load_dataset(path)] == [("p", "q", 1), ("P", "Q", 0)]
    own = load_dataset(path, text_column="headline", pair_column="Body", label_column="score", task="regression")
    assert [(row.text, row.pair, row.label) for row in own] == [("h", "b", 0.5), ("H", "B", 4.0)]
    assert (own.labels, own.metrics) == ((), ("pearson", "spearman"))
    assert load_dataset(path, text_column="Body")[0].pair is None


def test_labels_are_those_of_the_training_file(tmp_path: Path) -> None:
    csv_file(tmp_path / "train.csv", "text,label", "a,10", "b,9")
    csv_file(tmp_path / "validation.csv", "text,label", "c,9", "d,1")
    csv_file(tmp_path / "test.csv", "text", "e")
    csv_file(tmp_path / "notes.csv", "anything")
    source = open_data(tmp_path)
    assert (source.splits, source.labels) == (("train", "dev", "test"), ("9", "10"))
    assert source.split("train")[0].label == 1
    assert source.split("test")[0].label is None
    with pytest.raises(DataError, match=r'validation.csv, line 3: label "1" is not one of the labels \(9, 10\)'):
        source.split("validation")
    skipping = open_data(tmp_path, skip_bad_rows=True).split("dev")
    assert (len(skipping), len(skipping.skipped)) == (1, 1)
    given = open_data(tmp_path, labels=["10", "1", "9"])
    assert [row.label for row in given.split("dev")] == [2, 1]
    assert given.labels == ("10", "1", "9")


def test_multilabel(tmp_path: Path) -> None:
    table = csv_file(tmp_path / "a.csv", "text,label", "x,war|peace", "y,", "z,war")
    data = load_dataset(table, task="multilabel")
    assert data.labels == ("peace", "war")
    assert [row.label for row in data] == [(0, 1), (), (1,)]
    lines = [json.dumps({"text": text, "labels": labels}) for text, labels in [("x", ["war", "peace"]), ("y", [])]]
    source = open_data(csv_file(tmp_path / "a.jsonl", *lines))
    assert (source.task, source.metrics) == ("multilabel", ("f1", "accuracy"))
    assert [row.label for row in source.split("train")] == [(0, 1), ()]


def test_decimal_labels_are_regression(tmp_path: Path) -> None:
    source = open_data(csv_file(tmp_path / "a.csv", "text,label", "x,4.5", "y,3.0"))
    assert (source.task, [row.label for row in source.split("train")]) == ("regression", [4.5, 3.0])
    named = open_data(tmp_path / "a.csv", labels=["3", "4.5", "3.0"])
    assert (named.task, [row.label for row in named.split("train")]) == ("classification", [1, 2])


def test_texts_without_labels(tmp_path: Path) -> None:
    path = csv_file(tmp_path / "a.csv", "text,label", "x,", "y,b")
    assert [(row.text, row.label) for row in load_dataset(path, labelled=False)] == [("x", None), ("y", None)]


BAD = [
    ("words,label\na,1", {}, r"a.csv: no column for the text \(there are: words, label; looked for text, sentence"),
    ("text,lable\na,1", {"label_column": "label"}, r'no column "label" for the label \(.*\); did you mean "lable"'),
    ("text,lable\na,1", {}, r"no column for the label .*give --label-column"),
    ("text1,text2\na,b", {}, 'give --label-column, or call the column of the second text "positive" if the two texts'),
    ("text,label\na,1", {"pair_column": "txt"}, r'no column "txt" for the pair .* did you mean "text"'),
    ("text,label\na,1\nb\nc,2,3", {}, r"line 3: 1 column instead of 2 \(and 1 more: line 4\); repair the file"),
    ("text,label\na,1\nb,nan", {}, r"a.csv, line 3: the label in column .label. is missing \('nan'\)"),
    ("text,label\na,1\nb,x", {"task": "regression"}, r'line 3: label "x" is not a number'),
    ("text,label\n", {}, r"a.csv: no usable row"),
    ("text,label\na,", {"skip_bad_rows": True}, r"no usable row \(1 bad rows\)"),
    ("text,label\na,1", {"task": "clasification"}, r'unknown task "clasification"; did you mean "classification"'),
    ("text,label\na,1", {"data_dir": "d"}, r"--data-dir works only with a known data set"),
]  # fmt: skip


@pytest.mark.parametrize("content, options, message", BAD)
def test_refusals(tmp_path: Path, content: str, options: dict[str, object], message: str) -> None:
    (tmp_path / "a.csv").write_text(content, "utf-8")
    with pytest.raises(AlbertkitError, match=message):
        open_data(tmp_path / "a.csv", **options)  # type: ignore[arg-type]


def test_lone_surrogates_and_null_texts(tmp_path: Path) -> None:
    lines = ['{"text": "a\\ud83d", "label": 0}', '{"text": null, "label": 1}', '{"text": "\\ud83d\\ude00", "label": 1}']
    path = csv_file(tmp_path / "a.jsonl", *lines)
    with pytest.raises(
        DataError, match=r'a.jsonl, line 1: "text" holds U\+D83D, half a surrogate pair.*1 more: line 2'
    ):
        open_data(path)
    data = load_dataset(path, skip_bad_rows=True)
    assert [row.text for row in data] == ["\U0001f600"]
    assert len(data.skipped) == 2
    with pytest.raises(DataError, match="needs at least two labels"):
        require_two_labels(data)


def test_folders_that_are_no_data_set(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no table named train, dev, validation or test in it"):
        open_data(tmp_path)
    csv_file(tmp_path / "train.csv", "text,label", "a,1")
    with pytest.raises(UsageError, match=r'has no split "dev" \(a file .*SPLIT.csv would be it\)'):
        load_dataset(tmp_path, split="dev")
    csv_file(tmp_path / "valid.csv", "text", "a")
    with pytest.raises(DataError, match=r"valid.csv: no column for the label"):
        load_dataset(tmp_path, split="dev")
    csv_file(tmp_path / "dev.csv", "text,label", "a,1")
    with pytest.raises(DataError, match=r"dev.csv and valid.csv are both the split dev"):
        open_data(tmp_path)
    (tmp_path / "valid.csv").unlink()
    csv_file(tmp_path / "test.tsv", "text\tlabel", "a\t1")
    with pytest.raises(DataError, match="have different file types"):
        open_data(tmp_path)


def test_rows_may_have_names_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("ID,text,label\n a7 ,fine,good\n,poor,bad\n")
    assert [row.id for row in load_dataset(path)] == ["a7", None]
    path = tmp_path / "t.jsonl"
    path.write_text('{"id": 7, "text": "fine", "label": "x"}\n{"id": [1], "text": "poor", "label": "y"}\n')
    assert [row.id for row in load_dataset(path)] == ["7", None]
    path = tmp_path / "u.csv"
    path.write_text("id,text\ngood,fine\nbad,poor\n")
    assert [(row.id, row.label) for row in load_dataset(path, label_column="id")] == [(None, 1), (None, 0)]


def labelled(folder: Path, labels: list[str]) -> Path:
    path = folder / "labels.csv"
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(
            [("text", "label"), *((f"text {number}", label) for number, label in enumerate(labels))]
        )
    return path


def test_two_zeros_and_ones_are_labels_by_position(tmp_path: Path) -> None:
    path = labelled(tmp_path, ["0,1", "1,0", "0, 0", "1,1"])
    given: tuple[dict[str, Any], ...] = ({}, {"task": "multilabel"})
    for options in given:
        with pytest.raises(DataError, match=r"lists of 2 zeros and ones.*--labels a,b .*a decimal point \(0\.1\)"):
            open_data(path, **options)
        source = open_data(path, labels=("good", "long"), **options)
        assert source.task == "multilabel"
        assert [row.label for row in source.split("train")] == [(1,), (0,), (), (0, 1)]


def test_numbers_with_commas_have_one_meaning_or_none(tmp_path: Path) -> None:
    path = labelled(tmp_path, ["0,2,5", "3", "1,4"])
    with pytest.raises(
        DataError, match=r"numbers with commas, such as '0,2,5'.*--task multilabel.*--task classification"
    ):
        open_data(path)
    source = open_data(path, task="multilabel")
    assert source.labels == ("0", "1", "2", "3", "4", "5")
    assert [row.label for row in source.split("train")] == [(0, 2, 5), (3,), (1, 4)]
    assert open_data(path, task="classification").labels == ("0,2,5", "1,4", "3")
    two = labelled(tmp_path, ["0,2", "3"])
    with pytest.raises(DataError, match=r'"0,2" is not a number, which regression needs; write 0\.2'):
        open_data(two)
    assert [row.label for row in open_data(two, task="multilabel").split("train")] == [(0, 1), (2,)]


def test_a_wide_table_takes_time_in_proportion(tmp_path: Path) -> None:
    path = tmp_path / "wide.csv"
    names = [f"c{number}" for number in range(200_000)]
    path.write_text(f"text,label,{','.join(names)}\na b,x,{',1' * 199_999}\n")
    started = time.process_time()
    with pytest.raises(DataError, match=r'no column "c2000001" for the pair .*; did you mean "c2000"'):
        open_data(path, pair_column="c2000001")
    assert time.process_time() - started < 2  # 0.3 on a quiet machine; a look at every name took 3
