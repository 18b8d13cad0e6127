"""What every command keeps: help with an example, exit statuses 0, 1 and 2, clean JSON."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from tests.cli.running import Runner

from albertkit import __version__
from albertkit.cli import COMMANDS, SUMMARIES, main

NAMES = sorted(COMMANDS)


def test_the_commands_are_frozen() -> None:
    assert set(NAMES) >= {
        "benchmark",
        "convert",
        "distill",
        "download",
        "embed",
        "encode",
        "evaluate",
        "export",
        "fill",
        "finetune",
        "glue",
        "info",
        "models",
        "nearest",
        "order",
        "plot",
        "predict",
        "prepare",
        "push",
        "score",
        "serve",
        "tokenize",
        "train-vocab",
        "tune",
    }
    assert sorted(SUMMARIES) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_the_list_says_what_the_command_says(name: str) -> None:
    command = COMMANDS[name]
    assert isinstance(command, click.Command)
    assert SUMMARIES[name] == (command.help or "").partition("\n")[0].rstrip() == command.get_short_help_str(limit=200)


def test_the_list_itself(albertkit: Runner) -> None:
    for option in ("-h", "--help"):
        outcome = albertkit(option)
        assert (outcome.status, outcome.err) == (0, "")
        for name in NAMES:
            assert re.search(rf"^  {name} +\S", outcome.out, re.MULTILINE), name
    assert albertkit("--version").out == f"albertkit {__version__}\n"


@pytest.mark.parametrize("option", ["-h", "--help"])
@pytest.mark.parametrize("name", NAMES)
def test_help_has_an_example_that_can_be_called(name: str, option: str, albertkit: Runner) -> None:
    outcome = albertkit(name, option)
    assert (outcome.status, outcome.err) == (0, "")
    text = " ".join(outcome.out.split())
    assert f"albertkit {name}" in text.partition("Example:")[2]
    assert "--json" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["finetun"], 'there is no command "finetun"; did you mean "finetune"?'),
        (["evaluate", "r", "--data", "d", "--spilt", "dev"], 'there is no option "--spilt"; did you mean "--split"?'),
        (["predict", "r", "--lr", "1"], 'there is no option "--lr"$'),  # all options have two dashes
        (["finetune", "--data", "d", "--freeze"], 'there is no option "--freeze"; did you mean "--freeze-encoder"?'),
        (["finetune", "--data", "d", "--no-plots"], 'there is no option "--no-plots"$'),
        (["info"], "MODEL is missing"),
        (["finetune"], "--data is missing"),
        (["predict", "run"], "give either texts or --input FILE"),
        (["predict", "run", "a", "b", "--pair", "c"], "2 texts and 1 --pair"),
        (["models", "--version", "v3"], 'there is no version "v3"; known: v1, v2, zh, nano'),
        (["finetune", "--data", "d", "--epochs", "many"], "'many' is not a valid integer"),
        (["finetune", "--data", "d", "--optimizer", "adamx"], "'adamx' is not one of"),
        (["finetune", "--data", "d", "--head-hidden", "8,x"], '"8,x" is not a list of whole numbers'),
        (["finetune", "--data", "d", "--limit", "0"], "limit is 0; it must be 1 or more"),
        (["finetune", "--data", "d", "--learning-rate", "0"], "learning-rate is 0.0; it must be above 0"),
        (["finetune", "--data", "d", "--learning-rate=-1"], "learning-rate is -1.0; it must be above 0"),
        (["finetune", "--data", "polarty", "--out", "o"], 'unknown data set "polarty"; did you mean "polarity"'),
        (["info", "albert-nan"], 'did you mean "albert-nano"'),
        (["train-vocab", "--size", "9", "--out", "o"], "FILES is missing"),
        (["train-vocab", "f", "--size", "9", "--out", "o"], "--size is 9; it must be 14 or more"),
        (["embed", "m", "--input", "i", "--output", "v.txt"], "must end in .npy or .parquet"),
    ],
)
def test_usage_errors_exit_2(arguments: list[str], words: str, albertkit: Runner) -> None:
    outcome = albertkit(*arguments)
    assert (outcome.status, outcome.out) == (2, ""), outcome
    assert re.search(words, " ".join(outcome.err.split())), outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["info", "{folder}"], "this folder is not a model"),
        (["predict", "{folder}", "a text"], "this folder is not a model"),
        (["predict", "{run}", "--input", "{folder}/no.txt"], r"no.txt: there is no such file"),
        (["embed", "{run}", "--input", "{folder}/no.txt", "--output", "{folder}/v.npy"], "no.txt"),
        (["encode", "{run}", "--input", "{folder}/no.npz", "--output", "{folder}/o.npz"], "no.npz: cannot be read"),
        (["evaluate", "{run}", "--data", "{folder}/no.csv"], "no.csv"),
        (["finetune", "--data", "{folder}/no.csv", "--out", "{folder}/run"], "no.csv does not exist"),
        (["plot", "{folder}", "--out", "{folder}/p.png"], "report.json: not found"),
        (["fill", "{folder}", "a [MASK]"], "this folder is not a model"),
        (["order", "{folder}", "a", "b"], "this folder is not a model"),
        (["train-vocab", "{folder}/no.txt", "--size", "99", "--out", "{folder}/v"], "no.txt: there is no such file"),
    ],
)
def test_failures_exit_1_with_one_sentence(
    arguments: list[str], words: str, albertkit: Runner, tmp_path: Path, run_folder: Path
) -> None:
    filled = [argument.format(folder=tmp_path, run=run_folder) for argument in arguments]
    assert re.search(words, albertkit(*filled, "--json").failure())
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_is_130(albertkit: Runner, monkeypatch: pytest.MonkeyPatch, keywords: Path, tmp_path: Path) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("albertkit.training.finetune.finetune", interrupted)
    outcome = albertkit("finetune", "--data", keywords, "--out", tmp_path / "run", "--json")
    assert (outcome.status, outcome.out) == (130, "")
    assert "repeat the command with --resume: it continues" in outcome.err


def test_as_a_program_with_bytes_that_are_no_text_and_a_reader_that_leaves(run_folder: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    program = [sys.executable, "-m", "albertkit"]
    bad = subprocess.run(
        [*program, "predict", str(run_folder), b"\xff"], capture_output=True, env=environment, check=False
    )
    assert (bad.returncode, bad.stdout) == (1, b"")
    assert b"surrogate" in bad.stderr
    assert b"Traceback" not in bad.stderr
    lines = "yes\n" * 20_000
    gone = subprocess.Popen(
        [*program, "tokenize"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    )
    assert gone.stdout is not None
    gone.stdout.close()
    assert b"Traceback" not in _feed(gone, lines)
    assert gone.returncode == 0


def _feed(process: subprocess.Popen[bytes], lines: str) -> bytes:
    assert process.stdin is not None
    assert process.stderr is not None
    try:
        process.stdin.write(lines.encode())
    except BrokenPipeError:
        pass
    finally:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
    err = process.stderr.read()
    process.stderr.close()
    process.wait()
    return err


def test_main_takes_its_arguments_from_the_command_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["albertkit", "--version"])
    with pytest.raises(SystemExit) as exit_:
        main()
    assert exit_.value.code == 0
    assert __version__ in capsys.readouterr().out
