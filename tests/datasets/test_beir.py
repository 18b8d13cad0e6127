"""Collections in BEIR's layout: what is read and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from albertkit.datasets.beir import is_collection, open_collection
from albertkit.errors import DataError, UsageError

CORPUS = [
    {"_id": "d1", "title": "Oil", "text": "prices rose"},
    {"_id": "d2", "text": "a film"},
    {"_id": 3, "text": "x"},
]
QUERIES = [{"_id": "q1", "text": "crude"}, {"_id": "q2", "text": "movie"}, {"_id": "q3", "text": "none"}]
QRELS = [("q1", "d1", 2), ("q2", "d2", 1), ("q2", "3", 1), ("q3", "d1", 0)]


def write_collection(
    folder: Path, *, corpus: Any = CORPUS, queries: Any = QUERIES, qrels: Any = QRELS, split: str = "test"
) -> Path:
    (folder / "qrels").mkdir(parents=True, exist_ok=True)
    for name, rows in (("corpus", corpus), ("queries", queries)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    lines = ["query-id\tcorpus-id\tscore", *("\t".join(map(str, row)) for row in qrels)]
    (folder / "qrels" / f"{split}.tsv").write_text("\n".join(lines) + "\n")
    return folder


def test_what_is_read(tmp_path: Path) -> None:
    assert not is_collection(tmp_path)
    assert is_collection(write_collection(tmp_path))
    found = open_collection(tmp_path)
    assert (found.name, found.split) == (str(tmp_path), "test")
    assert found.corpus == {"d1": "Oil prices rose", "d2": "a film", "3": "x"}
    assert found.queries == {"q1": "crude", "q2": "movie"}  # nothing is relevant to q3
    assert found.relevant == {"q1": {"d1": 2}, "q2": {"d2": 1, "3": 1}}
    assert list(found.take(1).queries) == ["q1"]


def test_splits(tmp_path: Path) -> None:
    write_collection(tmp_path, split="dev")
    assert open_collection(tmp_path).split == "dev"
    write_collection(tmp_path, split="test", qrels=QRELS[:1])
    assert open_collection(tmp_path).split == "test"
    assert open_collection(tmp_path, "validation").split == "dev"
    with pytest.raises(UsageError, match=r'no split "tset"; available splits: dev, test; did you mean "test"'):
        open_collection(tmp_path, "tset")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"qrels": [*QRELS, ("q9", "d1", 1)]}, r'test\.tsv, line 6: there is no query "q9" in queries\.jsonl'),
        ({"qrels": [*QRELS, ("q1", "d9", 1)]}, r'there is no document "d9" in corpus\.jsonl'),
        ({"qrels": [("q1", "d1", "yes")]}, r'line 2: the score is "yes", not a whole number'),
        ({"qrels": [("q1", "d1", 0)]}, "no query has a relevant document"),
        ({"corpus": [*CORPUS, CORPUS[0]]}, r'corpus\.jsonl, line 4: the _id "d1" occurs twice'),
        ({"queries": [{"_id": None, "text": "a"}]}, "the _id is None, not a text or a number"),
        ({"queries": [{"text": "a"}]}, 'line 1: no key "_id"'),
    ],
)
def test_refusals(changed: dict[str, Any], words: str, tmp_path: Path) -> None:
    write_collection(tmp_path, **changed)
    with pytest.raises(DataError, match=words):
        open_collection(tmp_path)


def test_missing_qrels(tmp_path: Path) -> None:
    write_collection(tmp_path)
    (tmp_path / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\nq1\td1\n")
    with pytest.raises(DataError, match="2 columns; it needs three"):
        open_collection(tmp_path)
    (tmp_path / "qrels" / "test.tsv").write_text("q1\td1\t1\nq2\td2\t1\n")
    with pytest.raises(DataError, match=r"test\.tsv, line 1: a row of relevance where a header belongs"):
        open_collection(tmp_path)
    (tmp_path / "qrels" / "test.tsv").unlink()
    with pytest.raises(DataError, match=r"no \.tsv file in it"):
        open_collection(tmp_path)
