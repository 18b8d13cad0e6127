"""What commands accept and say alike: option names, truncated texts, notes, missing libraries, stops."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from tests.cli.running import ONE_THREAD, Runner
from tests.tiny import keyword_rows, tiny_folder, write_csv

from albertkit.cli import COMMANDS
from albertkit.errors import MissingExtraError

LONG = " ".join(["film"] * 40)
"""40 tokens, and the run reads 32."""


def options(name: str) -> set[str]:
    command = COMMANDS[name]
    assert isinstance(command, click.Command)
    return {word for parameter in command.params for word in parameter.opts}


def test_out_and_output_and_lr_are_accepted_wherever_one_of_them_is() -> None:
    for name in sorted(COMMANDS):
        found = options(name)
        assert ("--out" in found) == ("--output" in found), name
        assert ("--lr" in found) == ("--learning-rate" in found), name
    trained = {"distill", "finetune", "glue", "pretrain", "tune"}
    assert {name for name in COMMANDS if "--lr" in options(name)} == trained


def test_the_other_spelling_works(albertkit: Runner, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("a film\n")
    outcome = albertkit(
        "embed", tiny_folder(), "--input", tmp_path / "in.txt", "--out", tmp_path / "v.npy", *ONE_THREAD
    )
    assert (outcome.status, (tmp_path / "v.npy").is_file()) == (0, True)
    outcome = albertkit("finetune", "--data", "polarity", "--output", tmp_path / "run", "--lr", "-1")
    assert "learning-rate is -1.0; it must be above 0" in outcome.err


def test_train_is_two_commands(albertkit: Runner) -> None:
    outcome = albertkit("train", "--data", "polarity")
    assert outcome.status == 2
    assert 'there is no command "train"; did you mean "finetune" or "pretrain"?' in outcome.err


@pytest.mark.parametrize("verb", ["embed", "predict", "evaluate", "export", "predict an exported run"])
def test_truncated_texts_are_counted(verb: str, albertkit: Runner, run_folder: Path, tmp_path: Path) -> None:
    rows = [*keyword_rows(5), (LONG, "good"), (LONG + " film", "bad")]
    data = write_csv(tmp_path / "t.csv", rows)
    words = "2 of 7 texts exceed 32 tokens (longest 43) and were truncated"
    if verb == "evaluate":
        outcome = albertkit("evaluate", run_folder, "--data", data, *ONE_THREAD, "--json")
        assert f"all: {words}" in outcome.json["notes"]
        return
    if verb == "export":
        pytest.importorskip("onnxruntime")
        pytest.importorskip("onnx")
        outcome = albertkit("export", run_folder, "--data", data, "--out", tmp_path / "onnx")
        assert (outcome.status, outcome.err.count(f"note: {words}\n")) == (0, 1)
        return
    run = run_folder
    if verb == "predict an exported run":
        pytest.importorskip("onnxruntime")
        pytest.importorskip("onnx")
        run = tmp_path / "onnx"
        assert albertkit("export", run_folder, "--to", "onnx", "--out", run).status == 0
    given = ("--input", data, "--text-column", "text", *ONE_THREAD)
    if verb == "embed":
        outcome = albertkit("embed", run, *given, "--output", tmp_path / "v.npy")
    else:
        outcome = albertkit("predict", run, *given)
    assert outcome.err.count(f"note: {words}\n") == 1
    short = albertkit("predict", run, "a splendid film", *ONE_THREAD)
    assert "exceed" not in short.err


def test_finetune_says_each_note_once_and_advises_no_option_that_was_given(albertkit: Runner, tmp_path: Path) -> None:
    data = write_csv(tmp_path / "t.csv", [*keyword_rows(40), (LONG, "good")])
    options = ("--model", tiny_folder(), "--data", data, "--epochs", "1", "--max-length", "32", "--no-baseline")
    outcome = albertkit("finetune", *options, "--out", tmp_path / "run", "--validation", "0.2", *ONE_THREAD)
    assert outcome.status == 0, outcome.err
    said = " ".join((outcome.err + outcome.out).split())
    for words in (
        "texts exceed 32 tokens",
        "Adding a new, untrained classification layer (2 labels).",
        "both selected the epoch and gave the score",
        "not calibrated",
    ):
        assert said.count(words) == 1, words
    assert re.search(r"score is slightly optimistic; use --test 0\.2 for separate rows", said)
    assert "--validation 0.1" not in said
    assert len(albertkit("evaluate", tmp_path / "run", "--data", data, "--json", *ONE_THREAD).json["notes"]) == 1


WITHOUT = """
import sys
missing = sys.argv.pop(1)
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == missing:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing())
from albertkit.cli import main
main(sys.argv[1:])
"""


@pytest.mark.parametrize(
    ("library", "arguments", "words"),
    [
        ("torch", ["finetune", "--data", "polarity", "--out", "{}/run"], "this needs torch, which is not installed"),
        ("torch", ["evaluate", "{}", "--data", "polarity"], "needs torch: pip install torch"),
        ("torch", ["predict", "{}", "a film", "--explain"], "needs torch: pip install torch"),
        ("sentencepiece", ["tokenize"], "which is not installed: pip install sentencepiece"),
    ],
)
def test_a_missing_library_is_one_sentence(library: str, arguments: list[str], words: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, library, *(each.format(tmp_path) for each in arguments)],
        capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode in (1, 2)
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert words in done.stderr


@pytest.mark.parametrize(
    ("arguments", "patched"),
    [
        (
            ["finetune", "--model", "{model}", "--data", "{data}", "--out", "{folder}/new"],
            "training.finetune.open_data",
        ),
        (["evaluate", "{run}", "--data", "{data}"], "evaluation.evaluate.evaluate"),
        (["predict", "{run}", "a film", "--explain"], "explaining.explain"),
    ],
    ids=["finetune", "evaluate", "explain"],
)
def test_a_stop_is_one_sentence(
    arguments: list[str],
    patched: str,
    albertkit: Runner,
    run_folder: Path,
    keywords: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(f"albertkit.{patched}", stop)
    filled = [each.format(model=tiny_folder(), data=keywords, run=run_folder, folder=tmp_path) for each in arguments]
    outcome = albertkit(*filled, *ONE_THREAD)
    assert (outcome.status, outcome.out) == (130, "")
    assert re.fullmatch(r"stopped.*\n", outcome.err)


def test_extras_are_named_for_a_checkout_too() -> None:
    assert str(MissingExtraError("pyarrow", extra="tables", purpose="reading t.parquet")) == (
        "reading t.parquet needs pyarrow, which is not installed: pip install 'albertkit[tables]' "
        "(in a checkout: pip install '.[tables]')"
    )
