"""`albertkit pretrain` and the picture of its curves."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest
from tests.cli.running import Runner
from tests.tiny_corpus import tiny_config, tiny_shards

QUICK = ("--steps", "4", "--batch-tokens", "256", "--held-out", ".1", "--precision", "fp32", "--threads", "1")


def _arguments(out: Path, *more: str) -> tuple[str | Path, ...]:
    return ("pretrain", "--data", tiny_shards(), "--config", tiny_config(), "--out", out, *QUICK, *more)


def test_json_is_the_report_and_plot_shows_the_runs(albertkit: Runner, tmp_path: Path) -> None:
    outcome = albertkit(*_arguments(tmp_path / "run", "--track", "tensorboard", "--json"))
    assert outcome.status == 0, outcome.err
    report = outcome.json
    assert report == json.loads((tmp_path / "run" / "report.json").read_text())
    assert {"mlm_loss", "mlm_accuracy", "sop_loss", "sop_accuracy", "tokens", "tokens_per_second"} <= report.keys()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tensorboard's own imports
        event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = event_accumulator.EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    assert [point.step for point in events.Scalars("step/mlm_loss")] == [1, 2, 3, 4]
    again = albertkit(*_arguments(tmp_path / "other", "--init", "random"))
    assert "masked pieces" in again.out
    assert f"run directory: {tmp_path / 'other'}" in again.out
    picture = albertkit("plot", tmp_path / "run", tmp_path / "other", "--out", tmp_path / "c.png", "--json")
    assert picture.json == {"files": [str(tmp_path / "c.png")], "runs": ["run", "other"]}
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--model", "albert-nano"), 2, "give --model to continue from a checkpoint, or --config to start afresh"),
        (("--tokens", "5e3"), 2, "steps and tokens are both given"),
        (("--stages", "2*64"), 2, '"2*64" is not a stage; write LAYERSxLENGTH:SHARE'),
        (("--mlm-probability", ".9"), 2, "leaves too little context"),
        (("--data", "nowhere"), 1, "nowhere: there is no such folder"),
    ],
)
def test_mistakes_are_one_sentence(
    albertkit: Runner, tmp_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    outcome = albertkit(*_arguments(tmp_path / "run", *arguments))
    assert outcome.status == code
    assert words in outcome.err
    assert not (tmp_path / "run").exists()


def test_a_run_is_not_overwritten(albertkit: Runner, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.txt").write_text("mine")
    outcome = albertkit(*_arguments(tmp_path / "run"))
    assert outcome.status == 1
    assert "exists and is not empty; give another --out" in outcome.err
