"""The command that repeats a run gives the command line the settings that the run had."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner

from albertkit.cli import group
from albertkit.training.distillation.settings import DistillSettings
from albertkit.training.pretraining.settings import PretrainSettings
from albertkit.training.repeating import repeating_command
from albertkit.training.settings import FinetuneSettings

EVERYTHING = FinetuneSettings(
    "albert-nano", "it's mine.csv", "runs/a", task="multilabel", labels=("a", "b"), head_hidden=(30, 8),
    head_norm="batch", skip_bad_rows=True, validation=0.2, epochs=4, learning_rate=3e-05, long="windows", stride=16,
    class_weights={"a": 5.0, "b": 0.5}, baseline=False, teacher="t", unlabelled=("x.txt", "y z.txt"), seed=7,
    plots=False, precision="fp32",
)  # fmt: skip
"""At least one setting of each kind."""
PRETRAINING = PretrainSettings(
    data="shards", out="o", config="albert-nano", bias_correction=False, spread_positions=False, compile=True,
    track=("tensorboard", "mlflow"), steps=12, stages="6x128:1",
)  # fmt: skip
DISTILLATION = DistillSettings(teacher="t", data=("a.txt", "b.txt"), out="o", model="m", steps=5, by_sentence=True)


class StoppedError(Exception):
    """Nothing is trained."""


@pytest.mark.parametrize(
    ("name", "where", "settings"),
    [
        ("finetune", "albertkit.training.finetune.finetune", EVERYTHING),
        ("finetune", "albertkit.training.finetune.finetune", FinetuneSettings("m", "polarity", "o", few_shot=True)),
        ("pretrain", "albertkit.training.pretraining.pretrain.pretrain", PRETRAINING),
        ("distill", "albertkit.training.distillation.distill.distill", DISTILLATION),
    ],
)
def test_the_command_line_reads_the_same_settings(
    name: str, where: str, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    got: list[Any] = []

    def keep(given: Any, **_: Any) -> None:
        got.append(given)
        raise StoppedError

    monkeypatch.setattr(where, keep)
    program, *words = shlex.split(repeating_command(name, settings))
    assert program == "albertkit"
    outcome = CliRunner().invoke(group, words)
    assert isinstance(outcome.exception, StoppedError), outcome.output
    wanted = replace(settings, out=f"{settings.out}-again")
    assert got == [replace(wanted, plots=True) if isinstance(wanted, FinetuneSettings) else wanted]
