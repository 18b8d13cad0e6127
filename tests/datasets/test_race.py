"""RACE's layout: passages with one flaw each, and the published counts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from albertkit.data.examples import ChoiceExample
from albertkit.datasets import load_dataset, open_data
from albertkit.errors import DataError, UsageError


def passage(key: str = "high7.txt", **more: Any) -> bytes:
    row = {
        "id": key,
        "article": "It is red.",
        "questions": ["Its colour is _ .", "Which is wrong?"],
        "options": [["red", "blue", "green", "white"], ["It is red.", "It is blue.", "a", "b"]],
        "answers": ["A", "D"],
    }
    return json.dumps({**row, **more}).encode()


FILES = {
    "RACE/dev/high/7.txt": passage(),
    "RACE/dev/middle/7.txt": passage("middle7.txt"),
    "RACE/train/middle/1.txt": passage("middle1.txt"),
}


def write(root: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def test_the_published_layout(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    source = open_data("race", data_dir=tmp_path)
    assert (source.task, source.labels, source.metrics) == ("multiple_choice", (), ("accuracy",))
    assert source.splits == ("train", "dev")
    data = source.split("dev")
    assert Counter(row.group for row in data) == {"middle": 2, "high": 2}
    rows = {row.id: row for row in data}
    assert sorted(rows) == ["high7.txt-0", "high7.txt-1", "middle7.txt-0", "middle7.txt-1"]
    assert rows["high7.txt-0"] == ChoiceExample(
        "It is red.", "Its colour is _ .", ("red", "blue", "green", "white"), 0, "high7.txt-0", "high"
    )
    assert rows["middle7.txt-1"].label == 3
    for place in (tmp_path / "RACE", tmp_path.parent):
        assert list(load_dataset("race", split="dev", data_dir=place)) == list(data)
    with pytest.raises(UsageError, match=r'race has no split "test" \(the folders .*SPLIT/high would be it\)'):
        source.split("test")


@pytest.mark.parametrize("name", ["race.zip", "race.tar.gz"])
def test_from_an_archive(tmp_path: Path, name: str, write_archive: Callable[[Path, dict[str, bytes]], Path]) -> None:
    archive = write_archive(tmp_path / name, {**FILES, "RACE/SOURCE.txt": b"x", "extra/dev/2.txt": b"x"})
    write(tmp_path / "folder", FILES)
    for split in ("train", "dev"):
        packed = load_dataset("race", split=split, data_dir=archive)
        assert list(packed) == list(load_dataset("race", split=split, data_dir=tmp_path / "folder"))


def test_one_group(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    middle, high = (open_data(f"race/{group}", data_dir=tmp_path) for group in ("middle", "high"))
    assert (middle.splits, high.splits) == (("train", "dev"), ("dev",))
    assert {row.group for row in middle.split("dev")} == {"middle"}
    assert [row.id for row in high.split("dev")] == ["high7.txt-0", "high7.txt-1"]


def test_a_test_file_without_its_key(tmp_path: Path) -> None:
    row = json.loads(passage())
    del row["answers"]
    write(tmp_path, {"RACE/test/high/7.txt": json.dumps(row).encode()})
    assert [row.is_labelled for row in load_dataset("race", split="test", data_dir=tmp_path)] == [False, False]


def test_an_empty_option_is_kept_and_told(tmp_path: Path) -> None:
    write(tmp_path, {"RACE/dev/high/7.txt": passage(options=[["red", ""], ["a", "b", "c", "d"]])})
    data = load_dataset("race", split="dev", data_dir=tmp_path)
    assert len(data) == 2
    (note,) = data.warnings
    assert note.endswith("1 question(s) with an empty option, kept as published (dev/high/7.txt, question 1)")


OPTIONS = [["a", "b"], ["a", "b"]]


@pytest.mark.parametrize(
    "content, message",
    [
        (passage(options=[[], ["a", "b", "c", "d"]]), ", question 1: no options, but a choice needs two or more"),
        (passage(options=[["a"], ["a", "b", "c", "d"]]), "question 1: 1 option, but a choice needs two or more"),
        (passage(options=OPTIONS), 'question 2: the option "D" is not there: there are 2, A to B'),
        (passage(options=["ab", "cd"]), r"""question 1: "options" is 'ab', not a list of texts \(and 1 more"""),
        (passage(options=[["a", 3], OPTIONS[1]], answers=["A", "A"]), 'question 1: "options" is 3, a int, not a text'),
        (passage(answers=["A"]), ": lists of different lengths: 2 questions, 2 options, 1 answers"),
        (passage(answers=["A", None]), "question 2: the option is missing"),
        (passage(answers=["A", "red"]), "question 2: the option 'red' is neither a letter from A nor a number"),
        (passage(questions=None, article=None), ': no "questions" and "article"'),
        (passage(questions=["", 5]), 'question 2: "question" is 5'),
        (b"[1]", ": a JSON list instead of an object"),
        (b"{", ": not JSON"),
        (b"{\xff", ": line 1: byte 0xff is not UTF-8"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    write(tmp_path, {"RACE/dev/high/7.txt": content, "RACE/dev/high/8.txt": passage("high8.txt")})
    with pytest.raises(DataError, match=f"dev/high/7.txt.*{message}.*; repair the file or pass --skip-bad-rows"):
        load_dataset("race", split="dev", data_dir=tmp_path)
    data = load_dataset("race", split="dev", data_dir=tmp_path, skip_bad_rows=True)
    assert len(data.skipped) >= 1
    assert {row.id for row in data} >= {"high8.txt-0", "high8.txt-1"}


def test_places_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="race/high does not come with albertkit"):
        open_data("race/high")
    with pytest.raises(DataError, match=r"race: no file such as RACE/train/high/NUMBER\.txt under"):
        open_data("race", data_dir=tmp_path)
    with pytest.raises(DataError, match="nowhere does not exist"):
        open_data("race", data_dir=tmp_path / "nowhere")


@pytest.mark.slow
def test_the_published_files(shared: Path) -> None:
    source = open_data("race", data_dir=shared / "data" / "race.tar.xz")
    train, dev = source.split("train"), source.split("dev")
    # Lai et al., 2017, table 2: 25,421 middle in train; dev 1,436 and 3,451 (train/high is not complete here).
    assert Counter(row.group for row in train)["middle"] == 25_421
    assert Counter(row.group for row in dev) == {"middle": 1_436, "high": 3_451}
    assert not train.skipped
    assert not dev.skipped
    assert all(len(row.options) == 4 for row in dev)
    assert len({row.id for row in train}) == len(train)
    assert {row.group for row in train[:50]} == {"middle", "high"}
