"""--exits of finetune, --exit-patience and --entropy of predict and evaluate."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.running import ONE_THREAD, Runner
from tests.tiny import keyword_rows, settings, write_csv

from albertkit.training.finetune import finetune


@pytest.fixture(scope="session")
def exits_folder(keywords: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with exits on `keywords`."""
    out = tmp_path_factory.mktemp("runs") / "exits"
    finetune(settings(keywords, out, epochs=4, learning_rate=2e-2, exits=True, pooling="pooler"))
    return out


def test_a_run_with_exits_is_evaluated_at_any_depth(exits_folder: Path, keywords: Path, albertkit: Runner) -> None:
    common = ("evaluate", exits_folder, "--data", keywords, *ONE_THREAD)
    whole = albertkit(*common, "--json").json
    assert "early_exit" not in whole
    patient = albertkit(*common, "--exit-patience", "9", "--json").json
    assert patient["metrics"] == whole["metrics"]
    assert patient["early_exit"] == {
        "patience": 9, "entropy": None, "tolerance": None, "mean_layers": 2.0, "layers": 2,
    }  # fmt: skip
    quick = albertkit(*common, "--entropy", "0.7", "--json").json  # two labels have 0.693 at most
    assert quick["early_exit"]["mean_layers"] == 1.0
    assert quick["metrics"]["accuracy"] > 60  # the first layer's head was trained, too
    shown = albertkit(*common, "--entropy", "0.7")
    assert "entropy below 0.7 nats: 1.00 of 2 layers on average" in " ".join(shown.out.split())


def test_predict_says_how_many_layers_it_took(exits_folder: Path, albertkit: Runner) -> None:
    outcome = albertkit(
        "predict", exits_folder, "a splendid film", "a boring film", "--exit-patience", "1", "--json", *ONE_THREAD
    )
    assert [set(row) for row in outcome.rows] == [{"text", "label", "probabilities"}] * 2
    assert "patience 1: 2.00 of 2 layers on average" in outcome.err


def test_the_folder_keeps_the_exits_and_says_so_where_they_cannot_go(
    exits_folder: Path, tmp_path: Path, albertkit: Runner
) -> None:
    assert json.loads((exits_folder / "config.json").read_text(encoding="utf-8"))["exits"] is True
    config = json.loads((exits_folder / "model" / "config.json").read_text(encoding="utf-8"))
    assert config["architectures"] == ["AlbertForSequenceClassification"]
    assert (exits_folder / "model" / "head.safetensors").is_file()
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    outcome = albertkit("export", exits_folder, "--to", "onnx", "--out", tmp_path / "onnx")
    assert outcome.status == 0, outcome
    assert "not exported: the head exits" in outcome.err
    refused = albertkit("predict", tmp_path / "onnx", "a film", "--exit-patience", "2")
    assert (refused.status, refused.out) == (2, "")
    assert "is an exported model, which has no exits" in refused.err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--exit-patience", "0"), "--exit-patience is 0; it must be 1 or more layers"),
        (("--exit-patience", "1", "--entropy", "0.1"), "not both"),
        (("--tolerance", "0.1"), "not both"),
        (("--exit-patience", "1", "--tolerance", "0.1"), "--tolerance works only for regression"),
        (("--exit-patience", "1", "--explain"), "explanations need the whole network"),
    ],
)
def test_options_that_cannot_be(options: tuple[str, ...], words: str, exits_folder: Path, albertkit: Runner) -> None:
    outcome = albertkit("predict", exits_folder, "a film", *options, *ONE_THREAD)
    assert (outcome.status, outcome.out) == (2, "")
    assert words in " ".join(outcome.err.split())


def test_a_run_without_exits(run_folder: Path, albertkit: Runner) -> None:
    outcome = albertkit("predict", run_folder, "a film", "--exit-patience", "2", *ONE_THREAD)
    assert (outcome.status, outcome.out) == (2, "")
    assert f"{run_folder} has no early exits: fine-tune it with --exits" in " ".join(outcome.err.split())


def test_a_regression_leaves_by_tolerance(tmp_path: Path, albertkit: Runner) -> None:
    rows = [(text, 1.5 if label == "good" else -0.5) for text, label in keyword_rows(40)]
    data = write_csv(tmp_path / "scores.csv", rows)
    finetune(settings(data, tmp_path / "run", epochs=1, exits=True))
    common = ("evaluate", tmp_path / "run", "--data", data, "--patience", "1", "--json", *ONE_THREAD)
    refused = albertkit(*common)
    assert (refused.status, refused.out) == (2, "")
    assert "--exit-patience with a regression needs --tolerance" in refused.err
    assert albertkit(*common, "--tolerance", "0.5").json["early_exit"]["tolerance"] == 0.5


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--freeze-encoder",), "the encoder cannot be frozen"),
        (("--head-hidden", "4", "--head-norm", "batch"), "--exits cannot be used with batch normalization"),
    ],
)
def test_settings_that_exits_do_not_go_with(
    options: tuple[str, ...], words: str, keywords: Path, tmp_path: Path, albertkit: Runner
) -> None:
    outcome = albertkit("finetune", "--data", keywords, "--out", tmp_path / "run", "--exits", *options, *ONE_THREAD)
    assert (outcome.status, outcome.out) == (2, "")
    assert words in " ".join(outcome.err.split())
    assert not (tmp_path / "run").exists()
