"""A few-shot run from its settings to its run directory, on the tiny network."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.tiny import (
    SEED,
    THREADS,
    assert_same_state,
    execution,
    keyword_folder,
    keyword_rows,
    leftovers,
    write_csv,
)

import albertkit
from albertkit.errors import AlbertkitError, DataError, UsageError
from albertkit.evaluation.report import Report
from albertkit.models.loaded import HeadSpec
from albertkit.models.pretrained import load_model
from albertkit.training.few_shot import train as module
from albertkit.training.few_shot.validation import Way
from albertkit.training.finetune import finetune
from albertkit.training.settings import FinetuneSettings
from albertkit.training.splits import scored_part


def settings(data: Path, out: Path, **changes: Any) -> FinetuneSettings:
    start = FinetuneSettings(
        model=str(keyword_folder()),
        data=str(data),
        out=str(out),
        few_shot=True,
        max_length=32,
        device="cpu",
        precision="fp32",
        threads=THREADS,
        seed=12345 + SEED,
        plots=False,
    )
    return replace(start, **changes)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALBERTKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("albertkit.training.few_shot.contrastive.STEPS", 8)


@pytest.fixture
def splits(tmp_path: Path) -> Path:
    """Forty rows to train on and sixty to score."""
    folder = tmp_path / "data"
    folder.mkdir()
    write_csv(folder / "train.csv", keyword_rows(40, seed=5))
    write_csv(folder / "test.csv", keyword_rows(60, seed=6))
    return folder


def chosen(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take one way whatever its score."""

    def choice(ways: list[Way], **_: Any) -> tuple[Way, str]:
        return next(way for way in ways if way.name == name), "the test says so"

    monkeypatch.setattr(module, "choose", choice)


@pytest.mark.learning
def test_keywords_are_learned_from_forty_rows(splits: Path, tmp_path: Path) -> None:
    report = finetune(settings(splits, tmp_path / "run"))
    assert report.metrics["accuracy"] is not None
    assert report.metrics["accuracy"] > 65  # of 60 rows, of which always giving one answer gets 50
    assert (report.task, report.split, report.examples) == ("classification", "test", 60)
    assert report.chosen_by is not None
    assert (report.chosen_by.split, report.chosen_by.metric) == ("train (5-fold cross-validation)", "accuracy")
    choice = report.few_shot
    assert choice is not None
    assert [candidate.name for candidate in choice.candidates] == ["frozen_mean", "frozen_pooler", "contrastive_mean"]
    assert choice.chosen in {candidate.name for candidate in choice.candidates}
    assert choice.baseline is not None
    assert choice.baseline.name == "tfidf_logistic_regression"
    assert choice.why.startswith(f"{choice.chosen}: ")
    assert (report.best_epoch, len(report.epochs)) == (1, 1)
    best = next(candidate for candidate in choice.candidates if candidate.name == choice.chosen)
    assert report.epochs[0]["validation"]["accuracy"] == pytest.approx(best.score)  # folds of equal size
    assert {baseline.name for baseline in report.baselines} == {"majority", "tfidf_logistic_regression"}
    assert Report.read(tmp_path / "run").to_dict() == report.to_dict()
    events = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert {event["event"] for event in events} >= {"fold", "epoch"}
    assert not leftovers(tmp_path)


@pytest.mark.parametrize(
    ("name", "pooling"), [("frozen_mean", "mean"), ("frozen_pooler", "pooler"), ("contrastive_mean", "mean")]
)
def test_the_saved_model_is_an_ordinary_one(
    name: str, pooling: str, splits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("albertkit.training.few_shot.validation.BEFORE_STOP", 99)
    chosen(name, monkeypatch)
    report = finetune(settings(splits, tmp_path / "run"))
    model = albertkit.load(tmp_path / "run", execution=execution())
    assert model.model.head == HeadSpec((), "none", pooling)
    assert report.command["pooling"] == pooling
    data = albertkit.load_dataset(splits, split="test")
    assert albertkit.evaluate(model, data).metrics == report.metrics
    train = albertkit.evaluate(model, albertkit.load_dataset(splits, split="train"))
    assert train.metrics["accuracy"] == pytest.approx(report.epochs[0]["train"]["accuracy"])
    before, after = (load_model(path).network.encoder.state_dict() for path in (keyword_folder(), tmp_path / "run"))
    if name == "contrastive_mean":
        assert not np.array_equal(before["groups.0.layers.0.ffn.up.weight"], after["groups.0.layers.0.ffn.up.weight"])
        events = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
        assert [event["step"] for event in events if event["event"] == "step"] == list(range(1, 9))
    else:
        assert_same_state(before, after)


def test_without_another_split_the_score_is_cross_validated(tmp_path: Path) -> None:
    data = write_csv(tmp_path / "t.csv", keyword_rows(40))
    report = finetune(settings(data, tmp_path / "run"))
    assert report.split == "train (5-fold cross-validation)"
    assert report.metrics["accuracy"] == report.epochs[0]["validation"]["accuracy"]
    assert report.examples == 40
    assert any("the scores are cross-validated on the training rows" in note for note in report.notes)
    tfidf = next(baseline for baseline in report.baselines if baseline.name.startswith("tfidf"))
    assert report.few_shot is not None
    assert report.few_shot.baseline is not None
    assert tfidf.metrics["accuracy"] == pytest.approx(report.few_shot.baseline.score)
    with pytest.raises(UsageError, match="held out no rows: its score is cross-validated"):
        scored_part(tmp_path / "run", albertkit.datasets.open_data(str(data)))


def test_rows_that_a_limit_leaves_out_are_not_scored(tmp_path: Path) -> None:
    data = write_csv(tmp_path / "t.csv", keyword_rows(40))
    report = finetune(settings(data, tmp_path / "run", pooling="mean", baseline=False, train_limit=30))
    assert (report.split, report.examples) == ("train (5-fold cross-validation)", 30)


def test_it_starts_over_and_ends_with_the_same_bytes(splits: Path, tmp_path: Path) -> None:
    cheap = {"pooling": "mean", "baseline": False}
    finetune(settings(splits, tmp_path / "one", **cheap))
    (tmp_path / "one" / "report.json").unlink()  # as if it had been killed
    finetune(settings(splits, tmp_path / "one", **cheap), resume=True)
    finetune(settings(splits, tmp_path / "two", **cheap))
    one, two = (load_model(tmp_path / name).network.state_dict() for name in ("one", "two"))
    assert_same_state(one, two)
    lines = [(tmp_path / name / "metrics.jsonl").read_text().count("\n") for name in ("one", "two")]
    assert lines[0] == lines[1]


def test_pairs_windows_and_class_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [("a film", text + " film" * 20, label) for text, label in keyword_rows(30)]
    data = write_csv(tmp_path / "t.csv", rows, columns=("premise", "hypothesis", "label"))
    chosen("frozen_pair", monkeypatch)
    given = settings(
        data, tmp_path / "run", max_length=16, long="windows", class_weights={"good": 3.0}, test=0.3, baseline=False
    )
    report = finetune(given)
    model = albertkit.load(tmp_path / "run", execution=execution())
    (row,) = model.predict([("a film", "splendid " * 30)])
    assert set(row["probabilities"]) == {"good", "bad"}
    assert report.few_shot is not None
    assert report.few_shot.baseline is None
    assert any("class weights in the loss" in note for note in report.notes)
    examples = albertkit.datasets.open_data(str(data)).split("train").examples
    assert len(model.encode(examples).sequences) > 30


def test_probabilities_are_calibrated_on_the_cross_validated_answers(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    random = np.random.RandomState(3)
    noisy = [(text, label if random.rand() < 0.8 else "good") for text, label in keyword_rows(120)]
    write_csv(folder / "train.csv", noisy)
    write_csv(folder / "test.csv", keyword_rows(20, seed=8))
    report = finetune(settings(folder, tmp_path / "run", pooling="mean"))
    assert report.temperature is not None
    assert load_model(tmp_path / "run").task.temperature == report.temperature
    assert report.few_shot is not None
    assert {candidate.name for candidate in report.few_shot.candidates} == {"frozen_mean", "contrastive_mean"}


def test_many_rows_are_not_tried_with_pairs_and_a_note_says_so(tmp_path: Path) -> None:
    data = write_csv(tmp_path / "t.csv", keyword_rows(400))
    report = finetune(settings(data, tmp_path / "run", pooling="mean", baseline=False))
    assert report.few_shot is not None
    assert [candidate.name for candidate in report.few_shot.candidates] == ["frozen_mean"]
    assert any("200 rows per label (median)" in note for note in report.notes)


def refusals() -> dict[str, tuple[list[tuple[str, ...]], dict[str, Any], type[AlbertkitError], str]]:
    rows = keyword_rows(12)
    return {
        "one row": (
            [*rows, ("what is this", "question")],
            {},
            DataError,
            r't.csv, split .*: the label "question" has one row; --few-shot needs two rows of each label',
        ),
        "no row": (rows, {"labels": ("bad", "good", "odd")}, DataError, '"odd" has no row'),
        "one label": ([("a", "good")] * 8, {}, DataError, 'all 8 rows have "good"'),
        "epochs": (rows, {"epochs": 3}, UsageError, "--few-shot does not take --epochs: it finds .*; leave it out"),
        "several": (
            rows,
            {"learning_rate": 0.1, "freeze_encoder": True, "weight_decay": 0.1},
            UsageError,
            "does not take --learning-rate, --weight-decay, --freeze-encoder: .*; leave them out",
        ),
        "teacher": (rows, {"teacher": "run"}, UsageError, "--few-shot does not take --teacher: "),
        "validation": (rows, {"validation": 0.2}, UsageError, "--validation: it chooses by cross-validation on the"),
        "regression": (
            [(text, str(number + 0.5)) for number, (text, _) in enumerate(rows)],
            {},
            UsageError,
            "--few-shot is for classification; leave it out for regression",
        ),
        "multilabel": (rows, {"task": "multilabel"}, UsageError, "leave it out for multilabel"),
    }


@pytest.mark.parametrize("case", list(refusals()))
def test_what_cannot_be_done_is_one_sentence_and_leaves_nothing(case: str, tmp_path: Path) -> None:
    rows, changes, kind, words = refusals()[case]
    data = write_csv(tmp_path / "t.csv", rows)
    with pytest.raises(kind, match=words) as caught:
        finetune(settings(data, tmp_path / "run", **changes))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_full_training_on_few_rows_names_few_shot(tmp_path: Path) -> None:
    data = write_csv(tmp_path / "t.csv", keyword_rows(30))
    report = finetune(settings(data, tmp_path / "run", few_shot=False, steps=1, baseline=False))
    assert any("below about 100, --few-shot is usually better" in note for note in report.notes)
    assert report.few_shot is None
