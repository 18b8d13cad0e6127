"""Files of predictions: what is read, and what is told of files that cannot be."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from albertkit.datasets.prediction_files import read_numbers, read_predictions, read_tags
from albertkit.errors import DataError

Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Function (name, content) that writes a file."""

    def to(name: str, content: str) -> Path:
        path = tmp_path / name
        path.write_text(content, encoding="utf-8")
        return path

    return to


ROWS = [{"id": "a", "prediction": "x"}, {"id": "b", "prediction": "y"}]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("p.json", '{"a": "x", "b": "y"}'),
        ("p.json", "\ufeff" + json.dumps(ROWS)),
        ("predictions", '{"a": "x", "b": "y"}'),  # no ending: JSON
        ("p.jsonl", "\n".join(json.dumps(row) for row in ROWS)),
        ("p.jsonl", '{"guid": "a", "label": "x", "text": "t"}\n\n{"guid": "b", "label": "y", "text": "t"}\n'),
        ("p.csv", 'id,text,prediction\na,"t, t",x\nb,t,y\n'),
        ("p.tsv", "index\tprediction\r\na\tx\r\nb\ty\r\n"),
        ("p.json", '[{"id": "a", "prediction_text": "x"}, {"id": "b", "prediction_text": "y"}]'),
    ],
)
def test_every_form_says_the_same(write: Write, name: str, content: str) -> None:
    found = read_predictions(write(name, content))
    assert {key: row.value for key, row in found.by_id().items()} == {"a": "x", "b": "y"}
    assert [row.value for row in found.in_order(["b", "a"])] == ["y", "x"]


def test_parquet_and_whole_numbers_as_ids(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pyarrow.table({"index": [1, 0], "label": ["x", "y"]}), tmp_path / "p.parquet")
    found = read_predictions(tmp_path / "p.parquet")
    assert [row.value for row in found.in_order([None, None])] == ["y", "x"]


def test_without_ids_the_order_counts(write: Write) -> None:
    for found in (
        read_predictions(write("p.json", '["x", "y"]')),
        read_predictions(write("p.csv", "label\nx\ny\n")),
    ):
        assert [row.value for row in found.in_order([None, "own"])] == ["x", "y"]
        with pytest.raises(
            DataError, match=r"2 predictions for 3 rows, the last at (line 3|entry 1); each row needs one"
        ):
            found.in_order([None] * 3, what="row")
        with pytest.raises(DataError, match="matched by id, but the rows have no id"):
            found.by_id()


def test_an_index_counts_rows_and_an_id_is_the_rows_own(write: Write) -> None:
    found = read_predictions(write("p.tsv", "index\tprediction\n1\tx\n0\ty\n"))
    assert [row.value for row in found.in_order([None, None])] == ["y", "x"]
    assert [row.value for row in found.in_order(["1", "0"])] == ["x", "y"]  # GLUE's own index column
    assert [row.value for row in found.in_order(["807", "55"])] == ["y", "x"]  # ids of pairs: the index is the row


def test_missing_and_extra_ids_are_named(write: Write) -> None:
    found = read_predictions(write("p.tsv", "index\tprediction\n0\tx\n5\ty\n6\tz\n"))
    with pytest.raises(DataError) as error:
        found.in_order([None] * 3, what="row")
    assert '2 of 3 rows have no prediction (the first is "1")' in str(error.value)
    assert '2 predictions belong to no row (the first is "5" at line 3)' in str(error.value)
    assert "they are the numbers 0 to 2" in str(error.value)
    with pytest.raises(DataError, match=r'1 predictions belong to no example \(the first is "6" at line 4\); are the'):
        found.in_order(["0", "5"])
    with pytest.raises(DataError, match=r'1 of 4 examples have no prediction \(the first is "q"\); are the'):
        found.in_order(["0", "5", "6", "q"])


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("p.json", '{"a": "x",\n "b": y}', r"p\.json, line 2: not JSON"),
        ("p.json", '{"a": "x", "a": "y"}', 'the id "a" occurs twice'),
        ("p.json", "[" * 100_000, r"p\.json: not JSON"),
        ("p.json", "{}", "the JSON object is empty"),
        ("p.json", "[]", "the JSON is an empty list"),
        ("p.json", "7", "the JSON is a int"),
        ("p.json", '[{"id": "a", "label": 1}, 3]', "entry 1: 3 is not a JSON object"),
        ("p.json", '[{"id": "a", "label": 1}, {"id": "b"}]', 'entry 1: no key "label"'),
        ("p.json", "  \n", "the file is empty"),
        ("p.tsv", "index\tprediction\n0\tx\n0\ty\n", r'p\.tsv, line 3: the id "0" is already at line 2'),
        ("p.tsv", "index\tprediction\n0\tx\n1\n2\n", r"line 3: 1 column instead of 2 \(and 1 more\); repair the file"),
        ("p.tsv", "index\tscore\n0\tx\n", r"no column with the predictions \(there are: index, score; looked for"),
        ("p.jsonl", '{"id": "a", "label": 1}\n{"id": null, "label": 1}\n', "line 2: the id None is neither a string"),
        ("p.jsonl", '{"id": "a", "label": 1}\nx\n', "line 2: not JSON"),
        ("no.csv", "", "the file is empty"),
    ],
)
def test_what_is_wrong_is_named(write: Write, name: str, content: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        read_predictions(write(name, content))


def test_files_that_are_none(tmp_path: Path, write: Write) -> None:
    for path, words in ((tmp_path / "no.json", "does not exist"), (tmp_path, "is a folder")):
        for read in (read_predictions, read_tags):
            with pytest.raises(DataError, match=words):
                read(path)
    (tmp_path / "latin.json").write_bytes(b'{"a": "\xe9"}')
    with pytest.raises(DataError, match="line 1: byte 0xe9 is not UTF-8"):
        read_predictions(tmp_path / "latin.json")
    named = write("p.csv", "id,mine\na,x\n")
    assert read_predictions(named, column="mine").rows[0].value == "x"
    with pytest.raises(DataError, match=r'no column "mien".*did you mean "mine"'):
        read_predictions(named, column="mien")


def test_tags_in_columns_and_in_lists(write: Write) -> None:
    columns = write("p.txt", "-DOCSTART- -X- O\n\nEU NNP B-ORG\nrejects VBZ O\n \nGerman JJ B-MISC\n")
    found = read_tags(columns)
    assert [row.value for row in found.rows] == [["B-ORG", "O"], ["B-MISC"]]
    assert [row.words for row in found.rows] == [("EU", "rejects"), ("German",)]
    assert [row.place for row in found.rows] == ["line 3", "line 6"]
    lists = write("p.jsonl", '{"id": 0, "tags": ["B-ORG", "O"]}\n{"id": 1, "tags": "B-MISC"}\n')
    assert [row.value for row in read_tags(lists).in_order([None, None])] == [["B-ORG", "O"], ["B-MISC"]]
    with pytest.raises(DataError, match=r"line 2: 2 columns instead of 3; repair"):
        read_tags(write("q.txt", "EU NNP B-ORG\nrejects VBZ\nGerman JJ B-MISC\n"))
    with pytest.raises(DataError, match=r"line 1: \[1\] is not a list of tags"):
        read_tags(write("q.jsonl", '{"tags": [1]}\n'))


@pytest.mark.parametrize("value", ['"1"', "true", "NaN", "Infinity", "null"])
def test_numbers(write: Write, value: Any) -> None:
    assert read_numbers(write("odds.json", '{"a": 1, "b": -2.5}')) == {"a": 1.0, "b": -2.5}
    with pytest.raises(DataError, match=r'id "b": .* is not a finite number'):
        read_numbers(write("odds.json", f'{{"a": 1, "b": {value}}}'))


def test_ids_of_another_split_are_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text(json.dumps({f"dev-{number}": "a" for number in range(40_000)}))
    found = read_predictions(path)
    started = time.process_time()
    with pytest.raises(DataError, match=r'40000 of 40000 .* \(the first is "test-0".*the first is "dev-0" at'):
        found.in_order([f"test-{number}" for number in range(40_000)])
    names = ", ".join(f'"{number}": 1' for number in range(40_000))
    path.write_text(f'{{{names}, "39999": 2}}')
    with pytest.raises(DataError, match='the id "39999" occurs twice'):
        read_predictions(path)
    assert time.process_time() - started < 10  # what looks at all ids for each took 19 s and more


def test_long_ids_and_numbers_are_cut_in_messages(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text(json.dumps({"x" * 100_000: 1}))
    with pytest.raises(DataError) as told:
        read_predictions(path).in_order(["y" * 100_000])
    assert len(str(told.value)) < 1000
    path.write_text(f'{{"a": {"9" * 400}}}')
    with pytest.raises(DataError, match=r'id "a": 9+ is not a finite number'):
        read_numbers(path)


def test_bytes_of_parquet_are_no_numbers(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pyarrow.table({"id": ["a"], "prediction": [b"1"]}), tmp_path / "p.parquet")
    with pytest.raises(DataError, match="b'1' is not a finite number"):
        read_numbers(tmp_path / "p.parquet")


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16"])
def test_byte_order_marks(codec: str, tmp_path: Path) -> None:
    for name, content in (
        ("p.json", '{"a": "caf\u00e9"}'),
        ("p.csv", "id;prediction\r\na;caf\u00e9\r\n"),
        ("p.tsv", "id\tprediction\ra\tcaf\u00e9\r"),
    ):
        (tmp_path / name).write_bytes(content.encode(codec))
        assert [(row.key, row.value) for row in read_predictions(tmp_path / name).rows] == [("a", "caf\u00e9")]
    (tmp_path / "p.conll").write_bytes("caf\u00e9 O B-X\r\n".encode(codec))
    (row,) = read_tags(tmp_path / "p.conll").rows
    assert (row.words, row.value) == (("caf\u00e9",), ["B-X"])
