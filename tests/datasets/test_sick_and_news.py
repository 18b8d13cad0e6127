"""SICK and AG News in the layouts that were published."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from albertkit.data.examples import TextExample
from albertkit.datasets import load_dataset, open_data
from albertkit.errors import DataError, UsageError

SICK = (
    "pair_ID\tsentence_A\tsentence_B\trelatedness_score\tentailment_judgment\n"
    '1\tA "cat"\tA dog\t4.5\tNEUTRAL\r\n'
    "2\tOne\tTwo\t1\tCONTRADICTION\n"
)


def test_sick(tmp_path: Path) -> None:
    (tmp_path / "SICK_trial.txt").write_text(SICK)
    data = load_dataset("sick/relatedness", split="dev", data_dir=tmp_path)
    assert (data.task, data.metrics, data.labels) == ("regression", ("pearson", "spearman"), ())
    assert data[0] == TextExample('A "cat"', "A dog", 4.5, "1")
    data = load_dataset("sick/entailment", split="trial", data_dir=tmp_path)
    assert [data.labels[row.label] for row in data] == ["NEUTRAL", "CONTRADICTION"]
    with pytest.raises(UsageError, match=r'no split "train" \(not under .*: train: SICK_train.txt'):
        open_data("sick/entailment", data_dir=tmp_path).split("train")


@pytest.mark.parametrize(
    "text, message",
    [
        (SICK + "3\tOne\n", "line 4: 2 columns instead of 5"),
        (SICK + "3\tOne\tTwo\tmuch\tMAYBE\n", 'line 4: label "MAYBE" is not one of the labels'),
        ("a\tb\n", 'line 1: no column "pair_ID" and "sentence_A"'),
        ("", 'line 1: no column "pair_ID"'),
        (SICK.splitlines()[0], "no usable row"),
    ],
)
def test_sick_refuses(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "SICK_train.txt").write_text(text)
    with pytest.raises(DataError, match=message):
        load_dataset("sick/entailment", data_dir=tmp_path)


NEWS = '"3","Stocks up","Wall ""Street"", again"\n"1","A","B"\n'


def test_ag_news(tmp_path: Path) -> None:
    (tmp_path / "ag_news_csv").mkdir()
    (tmp_path / "ag_news_csv" / "train.csv").write_text(NEWS)
    (tmp_path / "ag_news_csv" / "test.csv").write_text("Class Index,Title,Description\n" + NEWS)
    source = open_data("ag_news", data_dir=tmp_path)
    assert source.labels == ("World", "Sports", "Business", "Sci/Tech")
    assert source.splits == ("train", "test")
    assert list(source.split("train")) == [
        TextExample('Stocks up Wall "Street", again', label=2),
        TextExample("A B", label=0),
    ]
    assert list(source.split("test")) == list(source.split("train"))


def test_ag_news_refuses(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text(NEWS + '"5","A","B"\n"1","A"\n')
    with pytest.raises(DataError, match=r'line 3: the class is "5", not a number from 1 to 4 \(and 1 more: line 4\)'):
        load_dataset("ag_news", data_dir=tmp_path)
    assert len(load_dataset("ag_news", data_dir=tmp_path, skip_bad_rows=True).skipped) == 2
    (tmp_path / "train.csv").write_text('"1","A')
    with pytest.raises(DataError, match="line 1: not CSV"):
        load_dataset("ag_news", data_dir=tmp_path)
    (tmp_path / "train_subset_alps_dev.tsv").write_text("A\tb\tSports\nno label\n")
    with pytest.raises(DataError, match="line 2: 1 column instead of 2"):
        load_dataset("ag_news", split="train_subset", data_dir=tmp_path)
    for name in ("ag_news", "sick/entailment"):
        with pytest.raises(UsageError, match=f"{name} does not come with albertkit"):
            open_data(name)
        with pytest.raises(DataError, match=f"{name}: n.* under"):
            open_data(name, data_dir=Path(__file__).parent)


@pytest.mark.slow
def test_the_published_files(shared: Path) -> None:
    archive = shared / "data" / "topics_ner_more.tar.xz"
    news = open_data("ag_news", data_dir=archive)
    assert Counter(row.label for row in news.split("test")) == dict.fromkeys(range(4), 1900)  # Zhang et al., 2015
    subset = Counter(news.labels[row.label] for row in news.split("train_subset"))
    assert subset == {"World": 2509, "Sports": 2458, "Business": 2496, "Sci/Tech": 2538}
    for name in ("sick/relatedness", "sick/entailment"):
        source = open_data(name, data_dir=archive)
        assert [len(source.split(split)) for split in ("train", "trial", "test")] == [4500, 500, 4927]  # SemEval-2014
    entailment = Counter(source.labels[row.label] for row in source.split("test"))
    assert entailment == {"NEUTRAL": 2793, "ENTAILMENT": 1414, "CONTRADICTION": 720}
