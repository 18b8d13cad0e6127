"""Scores of files of predictions, each task against scikit-learn, scipy, seqeval or the official number."""

from __future__ import annotations

import json
import random
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from seqeval.metrics import f1_score as seqeval_f1
from sklearn import metrics as sklearn_metrics

from albertkit.data.examples import Answer, ChoiceExample, SpanExample, TextExample, TokenExample
from albertkit.datasets import load_dataset, open_data
from albertkit.datasets.dataset import Dataset
from albertkit.errors import DataError, UsageError
from albertkit.evaluation.score import default_split, score_file
from albertkit.scoring.score import ScoreOptions

Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Function (name, content) that writes a file."""

    def to(name: str, content: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        return path

    return to


def spans(*answers: tuple[str, ...]) -> Dataset:
    rows = [
        SpanExample("Who?", " ".join(texts), tuple(Answer(text, 0) for text in texts), f"q{number}")
        for number, texts in enumerate(answers)
    ]
    return Dataset("toy", "dev", "question_answering", (), ("exact", "f1"), rows)


def tagged(*rows: list[tuple[str, str]]) -> Dataset:
    labels = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
    examples = []
    for row in rows:
        text, places, at = " ".join(word for word, _ in row), [], 0
        for word, _ in row:
            places.append((at, at + len(word)))
            at += len(word) + 1
        examples.append(TokenExample(text, tuple(places), tuple(labels.index(tag) for _, tag in row)))
    return Dataset("toy", "dev", "token_classification", labels, ("f1", "precision", "recall", "accuracy"), examples)


CHOICES = Dataset(
    "race",
    "dev",
    "multiple_choice",
    (),
    ("accuracy",),
    [
        ChoiceExample("c", "q", ("w", "x", "y", "z"), label=label, id=f"{group}1.txt-{number}", group=group)
        for number, (label, group) in enumerate([(0, "high"), (3, "high"), (1, "middle")])
    ],
)

GLUE_FILES = {
    "cola": ("CoLA/dev.tsv", [f"gj04\t{label}\t\tA sentence." for label in "11010011011"], None),
    "sst2": ("SST-2/dev.tsv", [f"a text\t{label}" for label in "11010011011"], "sentence\tlabel"),
    "mrpc": (
        "MRPC/dev.tsv",
        [f"{label}\t7\t8\tone\ttwo" for label in "11010011011"],
        "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String",
    ),
    "qqp": (
        "QQP/dev.tsv",
        [f"{900 - n}\t1\t2\tone\ttwo\t{label}" for n, label in enumerate("11010011011")],
        "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate",
    ),
    "rte": (
        "RTE/dev.tsv",
        [f"{n}\tone\ttwo\t{('entailment', 'not_entailment')[int(label)]}" for n, label in enumerate("11010011011")],
        "index\tsentence1\tsentence2\tlabel",
    ),
    "mnli": (
        "MNLI/dev_matched.tsv",
        [f"{n}\tone\ttwo\t{'contradiction entailment neutral'.split()[int(c)]}" for n, c in enumerate("11020211012")],
        "index\tsentence1\tsentence2\tgold_label",
    ),
    "stsb": (
        "STS-B/dev.tsv",
        [f"{n}\tone\ttwo\t{score}" for n, score in enumerate((5, 4.75, 0, 1.2, 3.8, 2, 2, 0.5, 4, 3.25, 1))],
        "index\tsentence1\tsentence2\tscore",
    ),
}


@pytest.mark.parametrize("task", sorted(GLUE_FILES))
def test_glue_as_scikit_learn_and_scipy(task: str, write: Write, tmp_path: Path) -> None:
    file, rows, header = GLUE_FILES[task]
    write(f"glue/{file}", "\n".join([*([header] if header else []), *rows]) + "\n")
    data = load_dataset(f"glue/{task}", split="dev", data_dir=tmp_path / "glue")
    true = np.array([example.label for example in data])
    draw = random.Random(3)
    if task == "stsb":
        guess = np.array([value + draw.uniform(-1, 1) for value in true])
        words = [repr(float(value)) for value in guess]
    else:
        guess = np.array([value if draw.random() < 0.6 else draw.randrange(len(data.labels)) for value in true])
        words = [data.labels[value] for value in guess]
    order = list(range(len(words)))
    draw.shuffle(order)  # the server's file goes by its index, not by its lines
    lines = [f"{number}\t{words[number]}" for number in order]
    found = score_file(data, write("p.tsv", "\n".join(["index\tprediction", *lines]) + "\n"))
    expected = {
        "cola": {"mcc": lambda: sklearn_metrics.matthews_corrcoef(true, guess)},
        "mrpc": {
            "accuracy": lambda: sklearn_metrics.accuracy_score(true, guess),
            "f1": lambda: sklearn_metrics.f1_score(true, guess),
        },
        "stsb": {
            "pearson": lambda: stats.pearsonr(true, guess).statistic,
            "spearman": lambda: stats.spearmanr(true, guess).statistic,
        },
    }
    expected["qqp"] = expected["mrpc"]
    only_accuracy = {"accuracy": lambda: sklearn_metrics.accuracy_score(true, guess)}
    wanted = {name: 100 * float(value()) for name, value in expected.get(task, only_accuracy).items()}
    assert found.metrics == pytest.approx(wanted, abs=1e-9)
    assert list(found.metrics) == list(data.metrics)
    assert (found.data, found.split, found.examples) == (f"glue/{task}", "dev", 11)


def test_glue_refusals(write: Write, tmp_path: Path) -> None:
    file, rows, header = GLUE_FILES["rte"]
    write(f"glue/{file}", "\n".join([header or "", *rows]) + "\n")
    data = load_dataset("glue/rte", split="dev", data_dir=tmp_path / "glue")
    good = [f"{number}\tentailment" for number in range(11)]

    def refused(lines: list[str], words: str) -> None:
        path = write("p.tsv", "\n".join(["index\tprediction", *lines]) + "\n")
        with pytest.raises(DataError, match=words):
            score_file(data, path)

    refused([*good[:4], "4\tentails", *good[5:]], r'p\.tsv, line 6: label "entails" is not one of the labels \(entail')
    refused([*good[:9], "9\t0", "10\t1"], r"line 11: label \"0\" .*\(and 1 more, the next at line 12\)")
    refused(good[:-2], r'2 of 11 rows have no prediction \(the first is "9"\)')
    refused([*good, "11\tentailment"], r'1 predictions belong to no row \(the first is "11" at line 13\)')
    refused([*good[:-1], "3\tentailment"], r'line 12: the id "3" is already at line 5')
    unlabelled = Dataset("glue/rte", "test", data.task, data.labels, data.metrics, [TextExample("a", pair="b")])
    with pytest.raises(DataError, match="1 of 1 rows have no label"):
        score_file(unlabelled, tmp_path / "p.tsv")


def test_a_table_of_the_users_own(write: Write) -> None:
    source = open_data(write("mine.csv", "text,label\na,good\nb,bad\nc,good\n"))
    data = default_split(source, None)
    assert score_file(data, write("p.csv", "text,prediction\na,good\nb,good\nc,good\n")).metrics["accuracy"] == (
        pytest.approx(200 / 3)
    )
    jsonl = write("p.jsonl", "".join(json.dumps({"text": t, "label": "good"}) + "\n" for t in "abc"))
    assert score_file(data, jsonl).metrics["accuracy"] == pytest.approx(200 / 3)
    several = open_data(write("m.jsonl", '{"text": "a", "labels": ["x", "y"]}\n{"text": "b", "labels": []}\n'))
    found = score_file(default_split(several, None), write("q.csv", "labels\nx|y\ny\n"))
    assert found.metrics == pytest.approx({"f1": 80.0, "accuracy": 50.0})


def test_answers_and_what_is_told_of_them(write: Write) -> None:
    first = spans(("red house",), ("Rollo",))
    found = score_file(first, write("p.json", '{"q0": "the red house", "zz": "?"}'))
    assert found.metrics == {"exact": 50.0, "f1": 50.0}
    assert found.score.notes == (
        "1 of 2 questions have no prediction and are counted as wrong, as evaluate-v1.1.py does (the first: q1)",
        "1 predictions belong to no question of the split (the first: zz)",
    )
    second = spans(("red house",), ())
    found = score_file(second, write("p.json", '{"q1": ""}'))
    assert (found.metrics, found.score.parts) == (
        {"exact": 100.0, "f1": 100.0},
        {"NoAns": {"examples": 1, "exact": 100.0, "f1": 100.0}},
    )
    assert "1 of 2 questions have no prediction and are left out, as evaluate-v2.0.py does" in found.score.notes[0]
    options = ScoreOptions(null_odds=write("odds.json", '{"q0": 5, "q1": -1}'))
    found = score_file(second, write("p.json", '{"q0": "red house", "q1": "x"}'), options=options)
    assert found.metrics["exact"] == 0.0
    assert set(found.score.thresholds) == {"best_exact_thresh", "best_f1_thresh"}
    assert "chosen on the same split" in found.score.notes[-1]
    with pytest.raises(DataError, match=r'p\.json, id "q0": the answer 3 is not a text'):
        score_file(first, write("p.json", '{"q0": 3}'))


def test_tags_as_seqeval(write: Write) -> None:
    data = tagged([("Ann", "B-PER"), ("Lee", "I-PER"), ("left", "O")], [("Rome", "B-LOC"), ("is", "O")])
    columns = write("p.conll", "Ann x B-PER\nLee x O\nleft x O\n\nRome x B-LOC\nis x O\n")
    found = score_file(data, columns)
    true = [["B-PER", "I-PER", "O"], ["B-LOC", "O"]]
    predicted = [["B-PER", "O", "O"], ["B-LOC", "O"]]
    assert found.metrics["f1"] == pytest.approx(100 * seqeval_f1(true, predicted))
    assert list(found.metrics) == ["f1", "precision", "recall", "accuracy"]
    assert found.score.parts["LOC"] == {"examples": 1, "precision": 100.0, "recall": 100.0, "f1": 100.0}
    lists = write("p.jsonl", "".join(json.dumps({"tags": tags}) + "\n" for tags in predicted))
    assert score_file(data, lists, options=ScoreOptions(scheme="IOB2")).metrics == found.metrics
    for content, words in (
        (
            "Ann x B-PER\nLea x O\nleft x O\n\nRome x B-LOC\nis x O\n",
            r'line 1: not the words .*word 1 is "Lea", but "Lee"',
        ),
        (
            "Ann x B-PER\nLee x O\n\nRome x B-LOC\nis x O\n",
            "line 1: not the words .*2 words and text 0 of the split has 3",
        ),
        ("Ann x B-PER\nLee x O\nleft x O\n", "1 predictions for 2 texts"),
        ("Ann x B-PRE\nLee x O\nleft x O\n\nRome x B-LOC\nis x O\n", 'line 1: label "B-PRE" is not one of the labels'),
    ):
        with pytest.raises(DataError, match=words):
            score_file(data, write("p.conll", content))
    with pytest.raises(DataError, match=r"p\.jsonl, line 1: 1 tags for the 3 words of text 0"):
        score_file(data, write("p.jsonl", '{"tags": ["O"]}\n{"tags": ["O", "O"]}\n'))


def test_choices_middle_and_high_apart(write: Write) -> None:
    expected = {
        "high": {"examples": 2, "accuracy": 50.0},
        "middle": {"examples": 1, "accuracy": 100.0},
    }
    ids = [example.id for example in CHOICES]
    given: list[tuple[str, Any]] = [
        ("p.json", dict(zip(ids, ["A", "c", "B"], strict=True))),
        ("p.json", dict(zip(ids, [0, 2, 1], strict=True))),
        ("p.json", ["0", "C", 1]),
        ("p.json", [{"id": name, "answer": value} for name, value in zip(ids, "ACB", strict=True)]),
    ]
    for name, content in given:
        found = score_file(CHOICES, write(name, json.dumps(content)))
        assert (found.metrics["accuracy"], found.score.parts) == (pytest.approx(200 / 3), expected)
    for content, words in (
        (dict(zip(ids, ["A", "E", "B"], strict=True)), r'id "high1\.txt-1": .*"E"'),
        (dict(zip(ids, ["A", "AB", "B"], strict=True)), "'AB'"),
        (dict(zip(ids, [0, 1.5, 1], strict=True)), "1.5"),
        ({"high1.txt-0": "A"}, r'2 of 3 questions have no prediction \(the first is "high1\.txt-1"'),
    ):
        with pytest.raises(DataError, match=words):
            score_file(CHOICES, write("p.json", json.dumps(content)))


def test_options_that_do_not_go_with_the_task(write: Write) -> None:
    path = write("p.json", "{}")
    with pytest.raises(UsageError, match="--null-odds works only with SQuAD"):
        score_file(CHOICES, path, options=ScoreOptions(null_odds=path))
    with pytest.raises(UsageError, match="--scheme works only with tags"):
        score_file(CHOICES, path, options=ScoreOptions(scheme="IOB2"))
    with pytest.raises(UsageError, match='unknown task "ranking"'):
        score_file(Dataset("x", "dev", "ranking", (), (), []), path)


def test_rows_passed_over_are_told(write: Write) -> None:
    data = spans(("red",))
    data = Dataset(data.name, "dev", data.task, (), data.metrics, data.examples, skipped=("d.json, question 7: bad",))
    notes = score_file(data, write("p.json", '{"q0": "red"}')).score.notes
    assert notes == ("1 rows of the split cannot be used and are not scored (the first: d.json, question 7: bad)",)


def test_the_split_without_a_name(write: Write, tmp_path: Path) -> None:
    for split in ("train", "test"):
        write(f"t/{split}.csv", f"text,label\n{split},1\nb,0\n")
    assert default_split(open_data(tmp_path / "t"), None).split == "test"
    write("t/test.csv", "text\na\n")
    assert default_split(open_data(tmp_path / "t"), None).split == "train"
    write("t/dev.csv", "text,label\na,1\n")
    assert default_split(open_data(tmp_path / "t"), None).split == "dev"
    assert default_split(open_data(tmp_path / "t"), "train").split == "train"


@pytest.mark.slow
def test_real_files(shared: Path, tmp_path: Path) -> None:
    with tarfile.open(shared / "data" / "squad.tar.xz") as archive:
        archive.extractall(tmp_path, members=[m for m in archive if "/predictions/" in m.name], filter="data")
    folder = tmp_path / "squad" / "predictions"
    first = load_dataset("squad/v1", split="dev", data_dir=shared / "data" / "squad.tar.xz")
    found = score_file(first, folder / "v1.1-logistic-regression.json")
    assert found.metrics == pytest.approx({"exact": 40.14, "f1": 50.98}, abs=0.006)
    assert [note.split()[0] for note in found.score.notes] == ["13", "28"]  # not answered; ids that v1.1 does not have
    race = load_dataset("race", split="dev", data_dir=shared / "data" / "race.tar.xz")
    right = {example.id: "ABCD"[example.label] for example in race}
    (tmp_path / "race.json").write_text(json.dumps(right), encoding="utf-8")
    found = score_file(race, tmp_path / "race.json")
    assert found.metrics == {"accuracy": 100.0}
    assert {name: part["examples"] for name, part in found.score.parts.items()} == {"high": 3451, "middle": 1436}
