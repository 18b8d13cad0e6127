"""Runs whose texts are longer than their inputs: windows find what truncation cuts off."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.tiny import FILLER, execution, keyword_rows, settings, without_pictures, write_csv

import albertkit
from albertkit.errors import UsageError
from albertkit.training.finetune import finetune
from albertkit.training.settings import FinetuneSettings


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    without_pictures(monkeypatch)


@pytest.fixture(scope="module")
def late(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Texts whose telling word is after the first 14 tokens."""
    random = np.random.RandomState(5)
    rows = [(" ".join([*random.choice(FILLER, 16), text]), label) for text, label in keyword_rows(160)]
    return write_csv(tmp_path_factory.mktemp("late") / "late.csv", rows)


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that has learned the words from short texts."""
    folder = tmp_path_factory.mktemp("short")
    with pytest.MonkeyPatch.context() as patch:
        without_pictures(patch)
        data = write_csv(folder / "short.csv", keyword_rows(260))
        finetune(settings(data, folder / "run", epochs=8, learning_rate=1e-2, max_length=16))
    return folder / "run"


WINDOWS: dict[str, Any] = {"long": "windows", "max_length": 16, "learning_rate": 1e-2, "validation": 0.25}


@pytest.mark.learning
def test_windows_find_what_truncation_cuts_off(short: Path, late: Path, tmp_path: Path) -> None:
    report = finetune(settings(late, tmp_path / "run", model=str(short), epochs=8, **WINDOWS))
    assert report.metrics["accuracy"] is not None
    assert report.metrics["accuracy"] > 75  # what is cut off leaves a coin: 50
    assert any("texts are longer than 16 tokens and were read in" in note for note in report.notes)
    kept = json.loads((tmp_path / "run" / "model" / "task.json").read_text())
    assert (kept["window_stride"], kept["max_windows"]) == (8, 8)
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert (config["long"], config["stride"], config["max_windows"]) == ("windows", 8, 8)
    model = albertkit.load(tmp_path / "run", execution=execution())
    first, second = model.predict([" ".join([*FILLER[:18], word]) for word in ("splendid", "dreadful")])
    assert (first["label"], second["label"]) == ("good", "bad")


@pytest.mark.parametrize("freeze", [True, False], ids=["frozen", "whole"])
def test_deep_heads_score_as_the_saved_model_does(freeze: bool, late: Path, tmp_path: Path) -> None:
    head: dict[str, Any] = {"freeze_encoder": freeze, "head_hidden": (8,), "head_norm": "batch", "stride": 5}
    given = settings(late, tmp_path / "run", epochs=2, limit=60, max_windows=2, batch_tokens=60, **head, **WINDOWS)
    report = finetune(given)
    assert any("texts are longer than 2 windows; " in note for note in report.notes)
    model = albertkit.load(tmp_path / "run", execution=execution())
    data = albertkit.load_dataset(late, split="train").take(60)
    _, validation = albertkit.datasets.holdout(data, fraction=0.25, seed=given.seed)
    assert albertkit.evaluate(model, validation).metrics == report.metrics


def test_passes_of_whole_units_train_as_one(late: Path, tmp_path: Path) -> None:
    found = []
    for tokens in (4096, 50):
        out = tmp_path / str(tokens)
        head: dict[str, Any] = {"head_hidden": (8,), "head_norm": "batch"}  # no dropout, which passes draw apart
        finetune(settings(late, out, epochs=None, steps=3, limit=60, batch_tokens=tokens, **head, **WINDOWS))
        events = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
        found.append([(event["loss"], event["gradient_norm"]) for event in events if event["event"] == "step"])
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-4)  # the gradient is the same
    np.testing.assert_allclose(np.array(found[0])[:, 0], np.array(found[1])[:, 0], atol=2e-3)  # Adam enlarges rounding


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"long": "windows", "max_length": 32, "stride": 31},
            r"--stride is 31, but an .*; give 30 or less",
        ),
        ({"stride": 31}, "stride is for long texts .* add --long windows"),
        ({"max_windows": 3}, "max-windows is for long texts; add --long windows or --long sentences"),
        ({"long": "sentences", "stride": 9}, "stride is for long texts .* add --long windows"),
        ({"long": "cut"}, 'long is "cut"; it must be truncate, windows or sentences'),
        ({"long": "windows", "stride": 0}, "stride is 0; it must be 1 or more"),
        ({"class_weights": "even"}, 'class-weights is "even"; it must be balanced or'),
        ({"class_weights": {"good": 0.0}}, 'the class weight of "good" is 0.0; it must be a number above 0'),
    ],
)
def test_refusals(changes: dict[str, Any], words: str, late: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=words):
        finetune(settings(late, tmp_path / "run", **changes))
    assert not (tmp_path / "run").exists()


def _reviews(folder: Path, *, pairs: bool = False) -> Path:
    """Long texts of several sentences, one of which tells."""
    random = np.random.RandomState(3)
    rows = []
    for text, label in keyword_rows(40):
        sentences = [f"{' '.join(random.choice(FILLER, 11)).capitalize()}." for _ in range(8)]
        sentences[random.randint(8)] = f"{text.capitalize()}."
        rows.append((" ".join(sentences), label))
    file = write_csv(folder / "reviews.csv", rows)
    if pairs:
        lines = file.read_text().splitlines()
        file.write_text("\n".join([f"{lines[0]},pair", *(f"{line},other" for line in lines[1:])]) + "\n")
    return file


@pytest.mark.parametrize("long", [None, "truncate"])
def test_few_shot_training_reads_long_texts_by_sentence(long: str | None, tmp_path: Path) -> None:
    data, out = str(_reviews(tmp_path)), tmp_path / "run"
    report = finetune(FinetuneSettings(model="albert-nano", data=data, out=str(out), few_shot=True, long=long))
    noted = any("have several sentences and were read in" in note for note in report.notes)
    kept = json.loads((tmp_path / "run" / "model" / "task.json").read_text())
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    if long is None:
        assert noted
        assert (kept["by_sentence"], kept["max_windows"], config["long"]) == (True, 64, "sentences")
    else:
        assert not noted
        assert "by_sentence" not in kept
    model = albertkit.load(tmp_path / "run", execution=execution())
    first, second = (
        "The film was splendid and the actor was great.",
        "It rained all day, so nobody came to the old house.",
    )
    one, other, both = (model.predict([text])[0]["probabilities"] for text in (first, second, f"{first} {second}"))
    logits = [np.log(each["good"] / each["bad"]) for each in (one, other, both)]
    if long is None:  # the mean of its sentences
        assert logits[2] == pytest.approx((logits[0] + logits[1]) / 2, abs=1e-4)


def test_sentences_are_for_single_texts(tmp_path: Path) -> None:
    given = settings(_reviews(tmp_path, pairs=True), tmp_path / "run", long="sentences")
    with pytest.raises(UsageError, match="--long sentences is for single texts, and these are pairs"):
        finetune(given)


def test_other_tasks_have_their_own_windows(tmp_path: Path) -> None:
    row = {"question": "who?", "context": "ann and bob", "answers": {"text": ["ann"], "answer_start": [0]}}
    (tmp_path / "q.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(UsageError, match="--long windows is for labels and numbers of whole texts; leave it out for"):
        finetune(settings(tmp_path / "q.jsonl", tmp_path / "run", long="windows"))
