"""Files of predictions: whatever is written, `score` reads, and counts as `evaluate` did."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from albertkit.data.examples import Answer, ChoiceExample, SpanExample, TextExample, TokenExample
from albertkit.datasets.dataset import STRUCTURED_METRICS, Dataset
from albertkit.errors import UsageError
from albertkit.evaluation.score import score_file
from albertkit.evaluation.write_predictions import write_predictions
from albertkit.scoring.score import ScoreOptions
from albertkit.tasks import TASKS
from albertkit.tasks.prediction_rows import own_ids
from albertkit.tasks.question_answering.files import BEFORE_THRESHOLD
from albertkit.tasks.task import Task


def split(task: str, examples: list[Any], *, labels: tuple[str, ...] = (), name: str = "own") -> Dataset:
    metrics = STRUCTURED_METRICS.get(task, ("accuracy", "f1"))
    return Dataset(name, "dev", task, labels, ("pearson",) if task == "regression" else metrics, examples)


def metrics_of(dataset: Dataset, predictions: list[Any]) -> dict[str, float]:
    task: Task = TASKS[dataset.task]
    found = task.score(predictions, dataset.examples, labels=dataset.labels, data=dataset.name)
    return found.chosen(dataset.metrics, task=task.name).metrics


def answered(text: str, odds: float, threshold: float) -> dict[str, Any]:
    entry = {"answer": text, "start": 0, "end": len(text), "probability": 0.7}
    nothing = {"answer": "", "start": 0, "end": 0, "probability": 0.3}
    n_best = [entry, nothing] if text else [nothing]
    return {**(nothing if odds > threshold else entry), "n_best": n_best, "no_answer_odds": odds}


@pytest.mark.parametrize("named", [True, False])
def test_answers(tmp_path: Path, named: bool) -> None:
    random = np.random.RandomState(5)
    context = "the red house by the \u200blake\u2028 of Ohrid"
    examples, predictions = [], []
    for number in range(60):
        has = random.rand() < 0.6
        key = f'q"{number}\u00e9' if named else None
        examples.append(SpanExample("?", context, (Answer("red house", 4),) if has else (), key))
        text = ("red house", "red", "lake", "the")[random.randint(4)]
        predictions.append(answered(text, float(random.randn() + (0 if has else 1)), 2.0))
    data = split("question_answering", examples, name="squad/v2")
    found = metrics_of(data, predictions)
    assert list(found)[:4] == ["exact", "f1", "best_exact", "best_f1"]
    files = write_predictions(tmp_path / "p", predictions, task=TASKS[data.task], dataset=data)
    assert [path.name for path in files] == [
        "predictions.json", "nbest_predictions.json", "null_odds.json", BEFORE_THRESHOLD,
    ]  # fmt: skip
    whole = score_file(data, tmp_path / "p" / "predictions.json")
    assert whole.metrics == {name: found[name] for name in ("exact", "f1")}
    assert {f"{part}/f1": row["f1"] for part, row in whole.score.parts.items()} == {
        name: found[name] for name in ("HasAns/f1", "NoAns/f1")
    }
    options = ScoreOptions(null_odds=tmp_path / "p" / "null_odds.json", null_threshold=2.0)
    with_odds = score_file(data, tmp_path / "p" / BEFORE_THRESHOLD, options=options)
    assert with_odds.metrics == {name: found[name] for name in ("exact", "f1", "best_exact", "best_f1")}
    first = json.loads((tmp_path / "p" / "nbest_predictions.json").read_text(encoding="utf-8"))
    assert next(iter(first.values()))[0].keys() == {"text", "probability", "start", "end"}


def test_answers_of_version_1_1_have_no_odds(tmp_path: Path) -> None:
    data = split("question_answering", [SpanExample("?", "red", (Answer("red", 0),), "a")])
    predictions = [answered("red", 3.0, 9.0)]
    assert list(metrics_of(data, predictions)) == ["exact", "f1"]
    assert len(write_predictions(tmp_path / "p", predictions, task=TASKS[data.task], dataset=data)) == 2
    (file,) = write_predictions(tmp_path / "one.json", predictions, task=TASKS[data.task], dataset=data)
    assert json.loads(file.read_text()) == {"a": "red"}


@pytest.mark.parametrize("ids", [("x", "y", "z"), ("2", "0", "1"), (None, None, None), ("x", "x", "y")])
def test_choices(tmp_path: Path, ids: tuple[str | None, ...]) -> None:
    many = tuple(f"option {number}" for number in range(30))
    examples = [ChoiceExample("c", "q", many, label, key) for label, key in zip((0, 25, 29), ids, strict=True)]
    data = split("multiple_choice", examples)
    predictions = [{"choice": 0}, {"choice": 25}, {"choice": 28}]
    found = metrics_of(data, predictions)
    assert found == {"accuracy": pytest.approx(200 / 3)}
    (file,) = write_predictions(tmp_path / "p", predictions, task=TASKS[data.task], dataset=data)
    assert list(json.loads(file.read_text()).values()) == ["A", "Z", 28]
    assert score_file(data, file).metrics == found


LABELS = ("O", "B-PER", "I-PER")


def tagged(*words: str, tags: tuple[int, ...]) -> TokenExample:
    text = "|".join(words)
    starts = np.cumsum([0, *(len(word) + 1 for word in words[:-1])]).tolist()
    return TokenExample(text, tuple((at, at + len(word)) for at, word in zip(starts, words, strict=True)), tags)


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("Ada", "conll"), ("#", "conll"), ("New\u00a0York", "conll"), ("a\u2028b", "conll"), ("two words", "conll"),
        ("-DOCSTART-", "jsonl"), ("a\tb", "jsonl"), ("a\nb", "jsonl"), (" a", "jsonl"), ("\ufeffa", "jsonl"),
    ],
)  # fmt: skip
def test_tags(tmp_path: Path, word: str, name: str) -> None:
    examples = [tagged(word, "met", "Bob", tags=(1, 0, 1)), tagged("Eve", tags=(1,)), tagged("I", word, tags=(0, 1))]
    data = split("token_classification", examples, labels=LABELS)
    predictions = [{"tags": ["B-PER", "O", "O"]}, {"tags": ["I-PER"]}, {"tags": ["B-PER", "I-PER"]}]
    found = metrics_of(data, predictions)
    (file,) = write_predictions(tmp_path / "p", predictions, task=TASKS[data.task], dataset=data)
    assert file.name == f"predictions.{name}"
    assert score_file(data, file).metrics == found
    if name == "conll":
        assert file.read_text(encoding="utf-8").startswith(f"{word}\tB-PER\tB-PER\nmet\tO\tO\n")


@pytest.mark.parametrize("ids", [("1", "2", "0"), (None, None, None), (" 1", "2", "3"), ("a\tb", "c", "d")])
def test_labels_numbers_and_several_labels(tmp_path: Path, ids: tuple[str | None, ...]) -> None:
    labels = ("no", "yes\u00a0sir", "may be")
    cases: list[tuple[str, list[Any], list[dict[str, Any]]]] = [
        ("classification", [0, 1, 2], [{"label": "no"}, {"label": "may be"}, {"label": "may be"}]),
        ("regression", [0.5, 1.0, 3.25], [{"value": 0.1 + 0.2}, {"value": 1e-17}, {"value": 1 / 3}]),
        ("multilabel", [(0, 2), (), (1,)], [{"labels": ["no", "may be"]}, {"labels": []}, {"labels": ["no"]}]),
    ]
    for task, true, predictions in cases:
        rows = [TextExample("t", label=label, id=key) for label, key in zip(true, ids, strict=True)]
        data = split(task, rows, labels=() if task == "regression" else labels)
        (file,) = write_predictions(tmp_path / task, predictions, task=TASKS[data.task], dataset=data)
        assert file.suffix == (".jsonl" if ids[0] == "a\tb" else ".tsv")
        if task == "classification":
            assert score_file(data, file).metrics["accuracy"] == pytest.approx(200 / 3)
        elif task == "regression":
            values = [row["value"] for row in predictions]
            exact = 100 * np.corrcoef(np.array(true), np.array(values))[0, 1]
            assert score_file(data, file).metrics["pearson"] == pytest.approx(exact, rel=1e-9)
        else:
            assert score_file(data, file).metrics["accuracy"] == pytest.approx(200 / 3)


def test_refusals_and_ids(tmp_path: Path) -> None:
    data = split("multiple_choice", [ChoiceExample("c", "q", ("a", "b"), 0)])
    with pytest.raises(UsageError, match=r"p\.tsv: predictions for these multiple_choice data go into a \.json file"):
        write_predictions(tmp_path / "p.tsv", [{"choice": 0}], task=TASKS[data.task], dataset=data)
    assert not list(tmp_path.iterdir())
    assert own_ids([]) is None
    assert own_ids([TextExample("a", id="")]) is None
