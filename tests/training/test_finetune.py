"""Fine-tuning learns, saves what it learned, and refuses bad input before it writes anything."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.tiny import (
    BAD,
    GOOD,
    execution,
    keyword_folder,
    keyword_rows,
    leftovers,
    settings,
    tiny_folder,
    without_pictures,
    write_csv,
)

import albertkit
from albertkit.errors import AlbertkitError, DataError, RunError, UsageError
from albertkit.evaluation.report import Report
from albertkit.hub.consent import DownloadError
from albertkit.inference.predictor import Predictor
from albertkit.io.files import WriteError
from albertkit.models.loaded import HeadSpec
from albertkit.models.pretrained import load_model, save_model, with_task_head
from albertkit.training import epochs as module
from albertkit.training.finetune import finetune


def keyword_splits(folder: Path, *, counts: dict[str, int]) -> Path:
    folder.mkdir()
    for number, (split, count) in enumerate(counts.items()):
        write_csv(folder / f"{split}.csv", keyword_rows(count, seed=number))
    return folder


@pytest.fixture(scope="module")
def keywords(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return keyword_splits(tmp_path_factory.mktemp("data") / "keywords", counts={"train": 200, "dev": 60, "test": 80})


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures have tests of their own and cost more than these trainings; `learned` still draws its own."""
    without_pictures(monkeypatch)


@pytest.fixture(scope="module")
def learned(keywords: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Report, Path]:
    out = tmp_path_factory.mktemp("runs") / "keywords"
    return finetune(settings(keywords, out, epochs=8, learning_rate=1e-2)), out


@pytest.mark.learning
def test_a_keyword_is_learned(learned: tuple[Report, Path]) -> None:
    report, _ = learned
    assert report.metrics["accuracy"] is not None
    assert report.metrics["accuracy"] > 95
    assert (report.task, report.split, report.examples) == ("classification", "test", 80)
    assert report.chosen_by is not None
    assert (report.chosen_by.split, report.chosen_by.metric) == ("dev", "accuracy")
    assert len(report.epochs) == 8
    best = max(
        range(8), key=lambda k: (report.epochs[k]["validation"]["accuracy"], -report.epochs[k]["validation"]["loss"])
    )
    assert report.best_epoch == best + 1


def test_the_run_directory_is_complete(learned: tuple[Report, Path]) -> None:
    report, out = learned
    for name in ("config.json", "metrics.jsonl", "report.json", "plots/history.png", "model/model.safetensors"):
        assert (out / name).stat().st_size > 0, name
    events = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    steps = [event["step"] for event in events if event["event"] == "step"]
    assert steps == list(range(1, 8 * 13 + 1))
    assert [event["epoch"] for event in events if event["event"] == "epoch"] == list(range(1, 9))
    assert Report.read(out).to_dict() == report.to_dict()
    assert not leftovers(out)


@pytest.mark.learning
def test_the_saved_model_scores_as_the_report_says(learned: tuple[Report, Path], keywords: Path) -> None:
    report, out = learned
    model = albertkit.load(out, execution=execution())
    data = albertkit.load_dataset(keywords, split="test")
    assert albertkit.evaluate(model, data).metrics == report.metrics
    texts = ["a splendid film", "a dreadful film"]
    assert [row["label"] for row in model.predict(texts)] == ["good", "bad"]


def test_the_same_settings_give_the_same_bytes(keywords: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        finetune(settings(keywords, tmp_path / name, epochs=None, steps=5))
    one, two = ((tmp_path / name / "model" / "model.safetensors").read_bytes() for name in ("one", "two"))
    assert one == two


@pytest.mark.learning
def test_a_deep_head_with_batch_norm_learns_on_a_frozen_encoder(
    learned: tuple[Report, Path], keywords: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    head = {"freeze_encoder": True, "head_hidden": (32, 8), "head_norm": "batch"}
    report = finetune(settings(keywords, out, model=str(learned[1]), epochs=10, learning_rate=1e-2, **head))
    assert report.metrics["accuracy"] is not None
    assert report.metrics["accuracy"] > 95
    before, after = (load_model(path).network.encoder.state_dict() for path in (learned[1], out))
    for name, tensor in before.items():
        np.testing.assert_array_equal(after[name].numpy(), tensor.numpy())
    again = albertkit.evaluate(
        albertkit.load(out, execution=execution()), albertkit.load_dataset(keywords, split="test")
    )
    assert again.metrics == report.metrics
    assert json.loads((out / "model" / "config.json").read_text())["architectures"] == ["AlbertModel"]


@pytest.mark.parametrize("head", [{}, {"head_hidden": (8,), "head_norm": "batch"}], ids=["linear", "batch norm"])
@pytest.mark.parametrize("freeze", [True, False], ids=["frozen", "whole"])
def test_a_head_on_the_mean_predicts_as_it_was_validated(
    freeze: bool, head: dict[str, Any], keywords: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[np.ndarray]] = []
    scoring = module.split_outputs

    def kept(*arguments: Any, **keywords: Any) -> Any:
        seen.append(scoring(*arguments, **keywords))
        return seen[-1]

    monkeypatch.setattr(module, "split_outputs", kept)
    given = settings(
        keywords, tmp_path / "run", epochs=1, learning_rate=1e-2, pooling="mean", freeze_encoder=freeze, **head
    )
    report = finetune(given)
    assert report.command["pooling"] == "mean"
    model = albertkit.load(tmp_path / "run", execution=execution())
    assert model.model.head == HeadSpec(given.head_hidden, given.head_norm, "mean")
    for split, logits in zip(("dev", "test"), seen, strict=True):  # the validation of the one epoch, then the score
        examples = list(albertkit.load_dataset(keywords, split=split).examples)
        np.testing.assert_allclose(model.logits(examples), np.stack(logits), rtol=0, atol=1e-5)
    before, after = (load_model(path).network.encoder.state_dict() for path in (keyword_folder(), tmp_path / "run"))
    changed = {name for name in before if not np.array_equal(before[name].numpy(), after[name].numpy())}
    assert not changed & {"pooler.weight", "pooler.bias"}  # which no head reads
    assert ("embeddings.word.weight" in changed) == (not freeze)


@pytest.mark.learning
def test_a_keyword_is_learned_from_the_mean(keywords: Path, tmp_path: Path) -> None:
    report = finetune(settings(keywords, tmp_path / "run", epochs=8, learning_rate=1e-2, pooling="mean"))
    assert report.metrics["accuracy"] is not None
    assert report.metrics["accuracy"] > 80  # a constant answer has 50; eight epochs gave 87 to 98 by seed


def test_several_passes_train_as_one(keywords: Path, tmp_path: Path) -> None:
    losses = []
    for tokens in (4096, 40):
        out = tmp_path / str(tokens)
        finetune(
            settings(keywords, out, epochs=None, steps=6, batch_tokens=tokens, head_hidden=(8,), head_norm="batch")
        )
        events = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
        losses.append([event["loss"] for event in events if event["event"] == "step"])
    np.testing.assert_allclose(losses[0], losses[1], atol=1e-4)


@pytest.mark.learning
def test_regression_learns(tmp_path: Path) -> None:
    random = np.random.RandomState(0)
    rows = []
    for _ in range(150):
        good = int(random.randint(0, 5))
        words = list(random.permutation([*random.choice(GOOD, good), *random.choice(BAD, 4 - good)]))
        rows.append((" ".join(words), good + 0.5))
    report = finetune(settings(write_csv(tmp_path / "t.csv", rows), tmp_path / "run", epochs=8, learning_rate=1e-2))
    assert (report.task, list(report.metrics)) == ("regression", ["pearson", "spearman"])
    assert report.metrics["pearson"] is not None
    assert report.metrics["pearson"] > 80
    (row,) = albertkit.load(tmp_path / "run", execution=execution()).predict("splendid wonderful charming brilliant")
    assert row["value"] == pytest.approx(4.5, abs=1.5)


@pytest.mark.learning
def test_several_labels_a_text_are_learned(tmp_path: Path) -> None:
    random = np.random.RandomState(0)
    rows = []
    for _ in range(200):
        marks = random.randint(0, 2, 2)
        words = [str(random.choice(kind)) for kind, mark in zip((GOOD, BAD), marks, strict=True) if mark]
        names = [name for name, mark in zip(("praise", "blame"), marks, strict=True) if mark]
        rows.append((" ".join([*words, "film"]), "|".join(names)))
    data = write_csv(tmp_path / "t.csv", rows)
    report = finetune(settings(data, tmp_path / "run", task="multilabel", epochs=12, learning_rate=1e-2))
    assert report.task == "multilabel"
    assert report.metrics["f1"] is not None
    assert report.metrics["f1"] > 90
    (row,) = albertkit.load(tmp_path / "run", execution=execution()).predict("splendid dreadful film")
    assert row["labels"] == ["blame", "praise"]


@pytest.mark.learning
def test_pairs_are_learned_by_their_second_text(tmp_path: Path) -> None:
    rows = [("a film", text, label) for text, label in keyword_rows(200)]
    data = write_csv(tmp_path / "t.csv", rows, columns=("premise", "hypothesis", "label"))
    report = finetune(settings(data, tmp_path / "run", epochs=8, learning_rate=1e-2, validation=0.2))
    assert report.metrics["accuracy"] is not None
    assert report.metrics["accuracy"] > 85
    (row,) = albertkit.load(tmp_path / "run", execution=execution()).predict([("a film", "splendid")])
    assert (row["label"], row["pair"]) == ("good", "splendid")


def test_training_goes_on_from_a_run_with_another_head(
    learned: tuple[Report, Path], keywords: Path, tmp_path: Path
) -> None:
    report = finetune(settings(keywords, tmp_path / "run", model=str(learned[1]), epochs=1, head_hidden=(8,)))
    assert report.model == str(learned[1])
    assert albertkit.load(tmp_path / "run").model.head.hidden == (8,)


def test_patience_stops_early(tmp_path: Path) -> None:
    labels = np.random.RandomState(2).permutation(["good", "bad"] * 40)  # no text tells: validation soon gets worse
    data = write_csv(
        tmp_path / "t.csv", [(text, label) for (text, _), label in zip(keyword_rows(80), labels, strict=True)]
    )
    report = finetune(settings(data, tmp_path / "run", epochs=50, learning_rate=1e-2, patience=2, validation=0.3))
    assert len(report.epochs) == report.best_epoch + 2 < 50


def test_bad_rows_are_refused_or_counted(tmp_path: Path) -> None:
    data = write_csv(tmp_path / "t.csv", [*keyword_rows(30), ("no label", ""), ("", "good")])
    with pytest.raises(DataError, match=r"t.csv, line 32: the label .* is missing.*--skip-bad-rows"):
        finetune(settings(data, tmp_path / "run"))
    report = finetune(settings(data, tmp_path / "run", skip_bad_rows=True, epochs=1))
    assert sum(report.skipped.values()) == 1  # an empty text is a text


def refusals(tmp_path: Path) -> dict[str, tuple[dict[str, Any], type[AlbertkitError], str]]:
    table = write_csv(tmp_path / "t.csv", keyword_rows(40))
    two_passes = {"data": str(table)}
    (tmp_path / "surrogate.csv").write_bytes(b"text,label\nfine,good\n\xed\xa0\x80,bad\n")
    (tmp_path / "surrogate.jsonl").write_text('{"text": "fine", "label": 1}\n{"text": "\\ud800", "label": 0}\n')
    (tmp_path / "bare").mkdir()
    broken = tmp_path / "broken"
    save_model(load_model(tiny_folder()), broken)
    (broken / "model.safetensors").write_bytes((broken / "model.safetensors").read_bytes()[:5000])
    one_class = write_csv(tmp_path / "one.csv", [("a", "good")] * 30)
    few_of_one_class = write_csv(tmp_path / "few.csv", [("a", "good")] * 3)
    folder = keyword_splits(tmp_path / "unlabelled", counts={"train": 40})
    write_csv(folder / "test.csv", [("a",), ("b",)], columns=("text",))
    strange = keyword_splits(tmp_path / "strange", counts={"train": 40, "dev": 10})
    write_csv(strange / "test.csv", [("a", "good"), ("b", "ugly")])
    return {
        "no such column": (
            {**two_passes, "label_column": "lable"},
            DataError,
            r't.csv: no column "lable".*mean "label"',
        ),
        "no text column": ({**two_passes, "text_column": "x"}, DataError, r't.csv: no column "x" for the text'),
        "invalid UTF-8": ({"data": str(tmp_path / "surrogate.csv")}, DataError, r"surrogate.csv, line 3: byte 0xed"),
        "lone surrogate": ({"data": str(tmp_path / "surrogate.jsonl")}, DataError, r"jsonl, line 2:.*U\+D800"),
        "one class": (
            {"data": str(one_class)},
            DataError,
            r'one.csv.*have "good", but a classifier needs at least two',
        ),
        "one class in three rows": ({"data": str(few_of_one_class)}, DataError, r'all 3 rows have "good"'),
        "unlabelled test": ({"data": str(folder), "test_split": "test"}, DataError, "2 of 2 rows have no label"),
        "unseen label": ({"data": str(strange)}, DataError, r'test.csv, line 3: label "ugly" is not one of the labels'),
        "unknown data": ({"data": "polarty"}, UsageError, r'unknown data set "polarty"; did you mean "polarity"'),
        "absent table": ({"data": str(tmp_path / "no.csv")}, DataError, r"no.csv does not exist"),
        "unknown model": ({**two_passes, "model": "albert-nan"}, UsageError, r'did you mean "albert-nano"'),
        "weights not here": (
            {**two_passes, "model": "albert-base-v2"},
            DownloadError,
            "albertkit download albert-base-v2",
        ),
        "no model": ({**two_passes, "model": str(tmp_path / "bare")}, AlbertkitError, "this folder is not a model"),
        "corrupt model": ({**two_passes, "model": str(broken)}, AlbertkitError, r"model.safetensors: cannot be read"),
        "too long": ({**two_passes, "max_length": 65}, UsageError, r"--max-length is 65, but .* has 64 positions"),
        "unknown optimizer": ({**two_passes, "optimizer": "adamx"}, UsageError, 'unknown optimizer "adamx"'),
        "unknown schedule": ({**two_passes, "schedule": "cosine"}, UsageError, 'unknown schedule "cosine"'),
        "unknown task": ({**two_passes, "task": "regresion"}, UsageError, 'mean "regression"'),
        "unknown precision": ({**two_passes, "precision": "fp8"}, UsageError, 'unknown precision "fp8"'),
        "unknown device": ({**two_passes, "device": "gpux"}, UsageError, 'unknown device "gpux"'),
        "no threads": ({**two_passes, "threads": 0}, UsageError, "--threads is 0"),
        "norm without widths": ({**two_passes, "head_norm": "batch"}, UsageError, "needs --head-hidden"),
        "unknown pooling": ({**two_passes, "pooling": "max"}, UsageError, r'unknown pooling "max" .*pooler, cls, mean'),
        "width 0": ({**two_passes, "head_hidden": (8, 0)}, UsageError, "every width must be 1 or more"),
        "other task": ({"data": "polarity", "task": "regression"}, UsageError, "does not fit polarity"),
        "words as numbers": (
            {**two_passes, "task": "regression"},
            DataError,
            r't.csv, line 2: label "bad" is not a number',
        ),
    }


def test_bad_input_is_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    for case, (changes, kind, words) in refusals(tmp_path).items():
        out = tmp_path / "run"
        with pytest.raises(kind, match=words) as caught:
            finetune(settings(changes["data"], out, **{key: value for key, value in changes.items() if key != "data"}))
        assert not out.exists(), case
        assert "\n" not in str(caught.value), case
    assert not leftovers(tmp_path)


def test_a_directory_that_exists(keywords: Path, tmp_path: Path) -> None:
    given = settings(keywords, tmp_path / "run", epochs=None, steps=2)
    report = finetune(given)
    with pytest.raises(RunError, match=r"exists and is not empty; give another --out or --resume"):
        finetune(given)
    with pytest.raises(RunError, match="this run is complete"):
        finetune(given, resume=True)
    assert Report.read(tmp_path / "run").to_dict() == report.to_dict()


def test_a_loss_beyond_all_numbers_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("albertkit.datasets.labels.LARGEST", 1e38)
    data = write_csv(tmp_path / "t.csv", [("a film", 1.5), ("a plot", 1e30)] * 12)
    with pytest.raises(RunError, match=r"the loss became (inf|nan) at step 1 .* diverged; start again with a"):
        finetune(settings(data, tmp_path / "run"))


def test_weights_that_are_no_number_after_the_last_step_are_told(
    keywords: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "albertkit.training.encoded_splits.run_outputs",
        lambda runtime, sequences, **_: [np.full(2, np.nan, np.float32)] * len(sequences),  # noqa: ARG005
    )
    with pytest.raises(RunError, match="the validation loss became nan at step 2"):
        finetune(settings(keywords, tmp_path / "run", epochs=None, steps=2))


def full_disk(monkeypatch: pytest.MonkeyPatch, refuse: Callable[[str], bool]) -> None:
    replace = os.replace

    def replacing(source: Any, target: Any) -> None:
        if refuse(str(target)):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
        replace(source, target)

    monkeypatch.setattr(os, "replace", replacing)


def test_a_full_disk_while_the_model_is_saved_loses_nothing(
    keywords: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = settings(keywords, tmp_path / "run", epochs=None, steps=3)
    with monkeypatch.context() as patch:
        full_disk(patch, lambda target: target.endswith("model"))
        with pytest.raises(WriteError, match=r"model: cannot be written \(No space left on device\)"):
            finetune(given)
    assert not leftovers(tmp_path)
    assert not (tmp_path / "run" / "model").exists()
    finetune(given, resume=True)  # the training itself is not made again
    assert (tmp_path / "run" / "report.json").is_file()


def test_saving_over_a_model_keeps_the_old_one_when_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = with_task_head(load_model(tiny_folder()), task="classification", labels=("a", "b"), head=HeadSpec())
    save_model(model, tmp_path / "m")
    before = {path.name: path.read_bytes() for path in (tmp_path / "m").iterdir()}
    refused: list[str] = []

    def once(target: str) -> bool:  # the second rename: the old folder has just been moved aside
        hit = target.endswith("/m") and not refused
        refused.extend([target] if hit else [])
        return hit

    full_disk(monkeypatch, once)
    with pytest.raises(WriteError, match="the previous file is unchanged"):
        save_model(model, tmp_path / "m")
    assert {path.name: path.read_bytes() for path in (tmp_path / "m").iterdir()} == before
    assert not leftovers(tmp_path)


def test_strange_texts_are_texts(tmp_path: Path) -> None:
    rows = [*keyword_rows(20), ("", "good"), ("a\x00b", "bad"), ("splendid " * 120_000, "good"), ("   ", "bad")]
    path = tmp_path / "t.jsonl"  # Python writes no NUL into CSV before version 3.11
    path.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows))
    report = finetune(settings(path, tmp_path / "run", epochs=1))
    assert sum(report.skipped.values()) == 0
    model = Predictor.load(tmp_path / "run", execution=execution())
    assert len(model.predict(["", "\x00", "x" * 1_000_000])) == 3


def test_recomputed_layers_give_the_same_weights(tmp_path: Path) -> None:
    weights = []
    for checkpointing in (False, True):
        out = tmp_path / str(checkpointing)
        asked = albertkit.FinetuneSettings("albert-nano", "polarity", str(out), limit=12, steps=2, max_length=16)
        albertkit.finetune(
            replace(
                asked, gradient_checkpointing=checkpointing, precision="fp32", threads=1, baseline=False, plots=False
            )
        )
        weights.append((out / "model" / "model.safetensors").read_bytes())
    assert weights[0] == weights[1]
