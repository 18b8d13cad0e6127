"""Tags of the user's own: tokens with tags, and texts with spans."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from albertkit.data.examples import TokenExample
from albertkit.data.words import split_words
from albertkit.datasets import load_dataset, open_data
from albertkit.datasets.tag_tables import tag_spans
from albertkit.errors import DataError


def write(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_tokens_and_tags(tmp_path: Path) -> None:
    path = write(tmp_path / "own.jsonl", {"tokens": ["Ada", "runs"], "tags": ["B-PER", "O"], "id": 3})
    data = load_dataset(path)
    assert (data.task, data.labels) == ("token_classification", ("O", "B-PER", "I-PER"))
    assert list(data) == [TokenExample("Ada runs", ((0, 3), (4, 8)), (1, 0), "3")]
    assert load_dataset(path, labelled=False, task="token_classification")[0].tags is None


def test_numbers_as_the_hub_has_them(tmp_path: Path) -> None:
    path = write(tmp_path / "own.jsonl", {"tokens": ["Ada", "runs"], "ner_tags": [1, 0]})
    assert load_dataset(path, labels=["O", "B-PER"])[0].tags == (1, 0)
    assert load_dataset(path).labels == ("0", "1")
    with pytest.raises(DataError, match="tag 1 is beyond the 1 labels given"):
        load_dataset(path, labels=["O"])


def test_text_and_spans(tmp_path: Path) -> None:
    text = "Ada Lovelace, of London."
    spans = [{"start": 0, "end": 13 - 1, "label": "PER"}, {"start": 16, "end": 23, "label": "LOC"}]
    data = load_dataset(write(tmp_path / "own.jsonl", {"text": text, "spans": spans}))
    assert data.labels == ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
    (row,) = data
    assert [text[start:end] for start, end in row.words] == ["Ada", "Lovelace", ",", "of", "London", "."]
    assert [data.labels[tag] for tag in row.tags] == ["B-PER", "I-PER", "O", "O", "B-LOC", "O"]
    assert row.text == text
    assert (data.warnings, data.skipped) == ((), ())


def test_spans_that_cut_words_are_left_out_and_named(tmp_path: Path) -> None:
    rows = [
        {"text": "Ada runs", "spans": [{"start": 0, "end": 2, "label": "PER"}]},
        {"text": "Ada runs", "spans": [{"start": 0, "end": 4, "label": "PER"}]},  # the blank at its end is no harm
        {"text": "Ada B", "spans": [{"start": 4, "end": 5, "label": "X"}, {"start": 0, "end": 5, "label": "PER"}]},
    ]
    data = load_dataset(write(tmp_path / "own.jsonl", *rows))
    assert [[data.labels[tag] for tag in row.tags] for row in data] == [["O", "O"], ["B-PER", "O"], ["B-PER", "I-PER"]]
    (note,) = data.warnings
    assert "2 span(s) that do not begin and end with words, or overlap another, left out" in note
    assert 'line 1: PER "Ad" at 0, line 3: X "B" at 4' in note


def test_words_of_other_scripts() -> None:
    def words(text: str) -> list[str]:
        return [text[start:end] for start, end in split_words(text)]

    assert words("GPT-2\u4e2d\u6587 x_y") == ["GPT", "-", "2", "\u4e2d", "\u6587", "x_y"]
    assert words("cafe\u0301 \u00fcber \u20ac5") == ["cafe\u0301", "\u00fcber", "\u20ac", "5"]
    assert tag_spans([], spans=[]) == ((), [])


@pytest.mark.parametrize(
    "row, message",
    [
        ({"tokens": ["a", "b"], "tags": ["O"]}, '2 tokens, but 1 in "tags"'),
        ({"tokens": [], "tags": []}, '"tokens" is empty'),
        ({"tokens": ["a", " "], "tags": ["O", "O"]}, "a token is empty"),
        ({"tokens": "a b", "tags": ["O"]}, "\"tokens\" is 'a b', not a list"),
        ({"tokens": ["a", None], "tags": ["O", "O"]}, '"tokens" is missing'),
        ({"tokens": ["a"], "tags": None}, '"tags" is missing, not a list'),
        ({"tokens": ["a"], "tags": [""]}, "the label is missing"),
        ({"tokens": ["a", "b"], "tags": ["O", -100]}, "the tag -100 marks a token without a tag"),
        ({"text": " ", "spans": []}, "the text holds no word"),
        ({"text": "Ada", "spans": [[0, 3, "PER"]]}, r"a span is \[0, 3, 'PER'\], not an object"),
        ({"text": "Ada", "spans": [{"start": 0, "end": 9, "label": "PER"}]}, "from 0 to 9 does not lie in the text"),
        ({"text": "Ada", "spans": [{"start": "0", "end": 3, "label": "PER"}]}, "a span from '0' to 3 does not lie"),
        ({"text": "Ada", "spans": [{"start": 0, "end": 3}]}, "the label is missing"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, row: dict[str, Any], message: str) -> None:
    if "tokens" in row:
        good: dict[str, Any] = {"tokens": ["Ada"], "tags": ["B-PER"]}
    else:
        good = {"text": "Ada", "spans": [{"start": 0, "end": 3, "label": "PER"}]}
    path = write(tmp_path / "own.jsonl", good, row)
    with pytest.raises(DataError, match=f"own.jsonl, line 2: .*{message}.*--skip-bad-rows"):
        load_dataset(path)
    data = load_dataset(path, skip_bad_rows=True)
    assert (len(data), len(data.skipped)) == (1, 1)


def test_what_is_no_file_of_tags(tmp_path: Path) -> None:
    path = write(tmp_path / "own.jsonl", {"text": "fine", "spans": [], "label": "yes"})
    assert load_dataset(path).task == "classification"  # a label next to the spans makes it a table of texts
    write(tmp_path / "train.jsonl", {"tokens": ["a"]})
    with pytest.raises(DataError, match=r'no "tags" \(there are: tokens\); a row of tags has tokens and tags'):
        load_dataset(tmp_path / "train.jsonl", task="token_classification")
    write(tmp_path / "train.jsonl", {"tokens": ["a"], "tags": ["O"]})
    write(tmp_path / "test.jsonl", {"tokens": ["a"]})
    (tmp_path / "own.jsonl").unlink()
    assert open_data(tmp_path).split("test")[0].tags is None


def test_rows_as_predict_writes_them(tmp_path: Path) -> None:
    row = {"text": "John lives in Rome", "entities": [{"start": 14, "end": 18, "type": "LOC", "probability": 0.9}]}
    data = load_dataset(write(tmp_path / "own.jsonl", row))
    assert [data.labels[tag] for tag in data[0].tags] == ["O", "O", "O", "B-LOC"]


def test_spans_in_utf16_units(tmp_path: Path) -> None:
    text = "\U0001f600 Rome"  # the face is two units, so JavaScript's places are one further on
    rows = [
        {"text": text, "spans": [{"start": 2, "end": 6, "label": "LOC"}]},
        {"text": text, "spans": [{"start": 3, "end": 7, "label": "LOC"}]},
    ]
    data = load_dataset(write(tmp_path / "own.jsonl", *rows))
    assert [[data.labels[tag] for tag in row.tags] for row in data] == [["O", "B-LOC"]] * 2
    (note,) = data.warnings
    assert note.endswith("1 text(s) whose spans count UTF-16 code units, read so (line 2)")


def test_spans_that_fit_no_word_at_all(tmp_path: Path) -> None:
    path = write(tmp_path / "own.jsonl", {"text": "the iPhone12s", "spans": [{"start": 4, "end": 10, "label": "X"}]})
    with pytest.raises(DataError, match=r'no span begins and ends with words, .*X "iPhone" at 4\); count'):
        open_data(path)


def test_numbers_without_names_are_classes(tmp_path: Path) -> None:
    rows = [{"tokens": ["New", "York", "is"], "ner_tags": [5, 6, 0]}, {"tokens": ["a"] * 2, "ner_tags": [10, 0]}]
    source = open_data(write(tmp_path / "own.jsonl", *rows))
    assert (source.labels, source.metrics) == (("0", "5", "6", "10"), ("accuracy",))
    # As evaluate opens them, with the names of the model: 5 is the name "5", no place among four names.
    data = load_dataset(tmp_path / "own.jsonl", labels=source.labels)
    assert [row.tags for row in data] == [(1, 2, 0), (3, 0)]
    write(tmp_path / "own.jsonl", {"tokens": ["a"], "ner_tags": [1]})
    with pytest.raises(DataError, match='label "1" is not one of the labels'):
        load_dataset(tmp_path / "own.jsonl", labels=source.labels)


def test_a_bad_row_is_told_before_the_tags_that_lack(tmp_path: Path) -> None:
    path = write(tmp_path / "own.jsonl", {"tokens": ["EU", ""], "tags": ["B-ORG", "O"]})
    with pytest.raises(DataError, match="line 1: a token is empty"):
        open_data(path)
