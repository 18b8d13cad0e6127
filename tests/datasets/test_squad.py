"""SQuAD's layout: made-up files with one flaw each, and the published counts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from albertkit.data.examples import Answer
from albertkit.datasets import load_dataset, open_data, require_labelled
from albertkit.datasets.answers import checked_answers, find_answer
from albertkit.errors import DataError, UsageError

CONTEXT = "In 1912 the Titanic sank. The  Titanic was British."


def question(key: str | None = "q1", *, text: str = "What sank?", **more: Any) -> dict[str, Any]:
    row: dict[str, Any] = {"question": text, "answers": [{"text": "Titanic", "answer_start": 12}], **more}
    return row if key is None else {"id": key, **row}


def squad(*questions: dict[str, Any], context: Any = CONTEXT, version: str = "1.1") -> bytes:
    paragraphs = [{"context": context, "qas": list(questions)}]
    return json.dumps({"version": version, "data": [{"title": "Ships", "paragraphs": paragraphs}]}).encode()


def write(folder: Path, name: str, content: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    return folder


def test_the_published_layout(tmp_path: Path) -> None:
    three = [{"text": "Titanic", "answer_start": at} for at in (12, 12, 31)]
    write(tmp_path / "SQuAD", "dev-v1.1.json", squad(question(), question("q2", answers=three)))
    source = open_data("squad/v1", data_dir=tmp_path)
    assert (source.task, source.labels, source.metrics) == ("question_answering", (), ("exact", "f1"))
    data = source.split("validation")
    assert (data.name, data.split, len(data), data.skipped, data.warnings) == ("squad/v1", "dev", 2, (), ())
    first, second = data
    assert (first.id, first.title, first.question, first.context) == ("q1", "Ships", "What sank?", CONTEXT)
    assert first.answers == (Answer("Titanic", 12),)
    assert [answer.start for answer in second.answers] == [12, 12, 31]
    assert not data.is_pair
    require_labelled(data)
    with pytest.raises(UsageError, match=r'has no split "train" \(not under .*: train: train-v1.1.json\)'):
        source.split("train")


@pytest.mark.parametrize("name", ["squad.zip", "squad.tar.xz"])
def test_from_an_archive(tmp_path: Path, name: str, write_archive: Callable[[Path, dict[str, bytes]], Path]) -> None:
    archive = write_archive(tmp_path / name, {"squad/dev-v2.0.json": squad(question()), "squad/x.json": b"[]"})
    data = load_dataset("squad/v2", split="dev", data_dir=archive)
    assert [row.id for row in data] == ["q1"]


def test_questions_without_an_answer(tmp_path: Path) -> None:
    rows = [question("a", is_impossible=False), question("b", is_impossible=True, answers=[])]
    write(tmp_path, "dev-v2.0.json", squad(*rows, version="v2.0"))
    data = load_dataset("squad/v2", split="dev", data_dir=tmp_path)
    assert [len(row.answers) for row in data] == [1, 0]
    assert all(row.is_labelled for row in data)
    own = load_dataset(tmp_path / "dev-v2.0.json")
    assert [len(row.answers) for row in own] == [1, 0]


def test_answers_not_given_at_all(tmp_path: Path) -> None:
    row = question()
    del row["answers"]
    write(tmp_path, "test.json", squad(row))
    data = load_dataset(tmp_path / "test.json")
    assert data[0].answers is None
    with pytest.raises(DataError, match="1 of 1 rows have no label"):
        require_labelled(data)
    write(tmp_path, "more.json", squad(question()))
    assert load_dataset(tmp_path / "more.json", labelled=False)[0].answers is None


def test_an_answer_that_stands_elsewhere_is_taken_from_the_nearest_place(tmp_path: Path) -> None:
    rows = [
        question("moved", answers=[{"text": "Titanic", "answer_start": 30}]),
        question("blanks", answers=[{"text": "The Titanic", "answer_start": 26}]),
        question("guess", answers=[{"text": "Titanic", "answer_start": 12, "start_ambiguous": 2}]),
        question("some", answers=[{"text": "Titanic", "answer_start": 12}, {"text": "Olympic", "answer_start": 1}]),
    ]
    write(tmp_path, "own.json", squad(*rows))
    data = load_dataset(tmp_path / "own.json")
    assert [row.answers for row in data] == [
        (Answer("Titanic", 31),), (Answer("The  Titanic", 26),), (Answer("Titanic", 12),), (Answer("Titanic", 12),),
    ]  # fmt: skip
    assert all(row.context[answer.start :].startswith(answer.text) for row in data for answer in row.answers)
    notes = " ".join(data.warnings)
    assert (
        "1 answer(s) not at their answer_start, taken from the nearest place where they occur (question moved" in notes
    )
    assert "(question some)" in notes
    assert '1 answer(s) marked "start_ambiguous"' in notes
    assert len(data.warnings) == 3


FLAWS = [
    (squad(question(answers=[{"text": "Olympic", "answer_start": 3}])), 'q1: its answer "Olympic" is nowhere in the'),
    (squad(question(), question()), 'question q1: its id "q1" is already used'),
    (squad(question(text=" ")), "question q1: the question is empty"),
    (squad(question(), context=""), "question q1: the context is empty"),
    (squad(question(), context=None), 'question q1: "context" is missing'),
    (squad(question(None, text="")), "article 1, paragraph 1, question 1: the question is empty"),
    (squad(question(is_impossible=True)), '"is_impossible" is true, but there is an answer'),
    (squad(question(is_impossible=False, answers=[])), '"is_impossible" is false, but the question has no answer'),
    (squad(question(answers=[])), "it is not a file of SQuAD 2.0, and the question has no answer"),
    (squad(question(answers=[{"text": "", "answer_start": 0}])), "an answer's text is ''"),
    (squad(question(answers=[{"text": "Titanic", "answer_start": "12"}])), "\"answer_start\" is '12', not a whole"),
    (squad(question(answers="Titanic")), "\"answers\" is 'Titanic', not a list"),
    (squad(question(id=["q"])), '"id" is .*neither a text nor a number'),
    (squad(question(text="half \ud800")), r"half a surrogate pair"),
    (b'{"data": [{"title": "x"}]}', 'article 1: no list "paragraphs"'),
    (b'{"data": [{"paragraphs": [{"context": "x"}]}]}', 'article 1, paragraph 1: no list "qas"'),
    (b'{"data": [{"paragraphs": [{"context": "x", "qas": [3]}]}]}', "question 1: not a JSON object"),
]


@pytest.mark.parametrize("content, message", FLAWS)
def test_a_bad_question_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    good = json.loads(squad(question("good"), version="1.1"))["data"][0]
    parsed = json.loads(content)
    (tmp_path / "own.json").write_text(json.dumps({**parsed, "data": [*parsed["data"], good]}))
    with pytest.raises(DataError, match=f"own.json, .*{message}.*; repair the file or pass --skip-bad-rows"):
        load_dataset(tmp_path / "own.json")
    data = load_dataset(tmp_path / "own.json", skip_bad_rows=True)
    assert len(data.skipped) == 1
    assert data[-1].id == "good"
    (tmp_path / "own.json").rename(tmp_path / "train-v1.1.json")  # of the published files they are counted always
    assert len(load_dataset("squad/v1", data_dir=tmp_path).skipped) == 1


@pytest.mark.parametrize(
    "content, message",
    [
        (b"{", "own.json: not JSON"),
        (b"[]", 'own.json: not in the layout of SQuAD, a JSON object whose "data" is a list'),
        (b'{"data": []}', "own.json: no usable row"),
        (b"\xff", "own.json, line 1: byte 0xff is not UTF-8"),
    ],
)
def test_a_file_of_another_layout(tmp_path: Path, content: bytes, message: str) -> None:
    write(tmp_path, "own.json", content)
    with pytest.raises(DataError, match=message):
        load_dataset(tmp_path / "own.json")


def test_places_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="squad/v2 does not come with albertkit: give --data-dir"):
        open_data("squad/v2")
    with pytest.raises(DataError, match=r"squad/v1: none of train-v1\.1\.json, dev-v1\.1\.json under"):
        open_data("squad/v1", data_dir=tmp_path)
    with pytest.raises(DataError, match=r"own.json does not exist"):
        open_data(tmp_path / "own.json")


def test_find_answer_takes_the_nearest() -> None:
    text = "aa aa aa"
    assert [find_answer(text, text="aa", start=at) for at in (0, 2, 5, 99)] == [
        Answer("aa", 0), Answer("aa", 3), Answer("aa", 6), Answer("aa", 6),
    ]  # fmt: skip
    assert find_answer("a+b (c)", text="+b (c", start=-5) == Answer("+b (c", 1)
    assert find_answer("a", text=" ", start=9) is None
    with pytest.raises(ValueError, match="2 texts and 1"):
        checked_answers({"text": ["a", "b"], "answer_start": [1]})
    with pytest.raises(ValueError, match="needs the lists"):
        checked_answers({"text": "a"})


@pytest.mark.slow
def test_the_published_files(shared: Path) -> None:
    archive = shared / "data" / "squad.tar.xz"
    one, two = open_data("squad/v1", data_dir=archive), open_data("squad/v2", data_dir=archive)
    assert (one.splits, two.splits) == (("train", "dev"), ("dev",))
    # Rows as the papers and the site give them.
    train, dev, dev2 = one.split("train"), one.split("dev"), two.split("dev")
    assert (len(train), len(dev), len(dev2)) == (87_599, 10_570, 11_873)
    assert sum(len(row.answers) for row in dev) == 34_726
    assert sum(row.answers == () for row in dev2) == 5_945
    for data in (train, dev, dev2):
        assert not data.skipped
        assert all(row.context.startswith(answer.text, answer.start) for row in data for answer in row.answers)
        assert len({row.id for row in data}) == len(data)
