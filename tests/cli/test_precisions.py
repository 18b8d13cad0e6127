"""--precision on a processor that has not what it names: one sentence, before anything is read or written."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from tests.cli.running import Runner

from albertkit.cli import COMMANDS
from albertkit.hardware.processor import Capabilities

CALLS = {
    "audit": ["no.csv"],
    "distill": ["--teacher", "no-teacher", "--config", "albert-nano", "--data", "no.txt", "--out", "{out}"],
    "embed": ["no-model", "--input", "no.txt", "--output", "{out}.npy"],
    "encode": ["no-model", "--input", "no.npz", "--output", "{out}.npz"],
    "evaluate": ["no-model", "--data", "no.csv"],
    "fill": ["no-model", "a [MASK]"],
    "finetune": ["--model", "no-model", "--data", "no.csv", "--out", "{out}"],
    "glue": ["--model", "no-model", "--data-dir", "no", "--out", "{out}"],
    "mine": ["no-model", "--data", "no.csv", "--output", "{out}.csv"],
    "nearest": ["no.parquet", "a text"],
    "order": ["no-model", "a", "b"],
    "predict": ["no-model", "a text"],
    "pretrain": ["--data", "no", "--model", "no-model", "--out", "{out}"],
    "serve": ["no-model"],
    "tune": ["--model", "no-model", "--data", "no.csv", "--out", "{out}"],
}
"""Arguments of every command that runs a model; none of the files is there, so a command that looks first says so."""


def precisions(name: str) -> set[str]:
    command = COMMANDS[name]
    assert isinstance(command, click.Command)
    for option in command.params:
        if option.name == "precision" and isinstance(option.type, click.Choice):
            return set(option.type.choices)
    return set()


def test_no_command_is_left_out() -> None:
    assert set(CALLS) == {name for name in COMMANDS if "bf16" in precisions(name)}


@pytest.mark.parametrize("precision", ["bf16", "fp16", "int8"])
@pytest.mark.parametrize("name", CALLS)
def test_a_precision_that_is_not_here_is_refused_first(
    name: str, precision: str, albertkit: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    none = Capabilities(prepacked=True, bf16=False, int8=False, fbgemm=False, vnni=False, qnnpack=False)
    monkeypatch.setattr("albertkit.hardware.device.capabilities", lambda: none)
    words = [word.format(out=tmp_path / "out") for word in CALLS[name]]
    outcome = albertkit(name, *words, "--precision", precision, "--device", "cpu")
    assert (outcome.status, outcome.out) == (2, "")
    (sentence,) = [line for line in outcome.err.splitlines() if line.strip()]
    assert sentence.startswith(f"error: {precision} needs a processor with {precision} products"), sentence
    assert list(tmp_path.iterdir()) == []
