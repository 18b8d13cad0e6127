"""`albertkit distill` and the picture of its curves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.running import ONE_THREAD, Runner
from tests.tiny_teacher import tiny_config, tiny_teacher, tiny_texts

pytest.importorskip("transformers")

QUICK = ("--start", "keep", "--steps", "3", "--batch-size", "8", "--max-length", "32", "--workers", "1", *ONE_THREAD)


def _arguments(out: Path, *more: str | Path) -> tuple[str | Path, ...]:
    return (
        "distill", "--teacher", tiny_teacher(), "--config", tiny_config(), "--out", out, *QUICK, "--data", tiny_texts(),
        *more,
    )  # fmt: skip


def test_json_is_the_report_and_plot_shows_the_runs(albertkit: Runner, tmp_path: Path) -> None:
    outcome = albertkit(*_arguments(tmp_path / "run", "--pretraining", "--json"))
    assert outcome.status == 0, outcome.err
    report = outcome.json
    assert report == json.loads((tmp_path / "run" / "report.json").read_text())
    keys = {"vector_cosine", "relation_error", "mlm_accuracy", "sop_accuracy", "tokens", "tokens_per_second"}
    assert keys <= report.keys()
    (tmp_path / "more.txt").write_text("a second file of texts\n")
    again = albertkit(*_arguments(tmp_path / "other", tmp_path / "more.txt"))
    assert "cosine to the teacher's" in again.out
    assert f"run directory: {tmp_path / 'other'}" in again.out
    other = json.loads((tmp_path / "other" / "report.json").read_text())
    assert other["data"] == [str(tiny_texts()), str(tmp_path / "more.txt")]
    assert "mlm_accuracy" not in other
    picture = albertkit("plot", tmp_path / "run", tmp_path / "other", "--out", tmp_path / "c.png", "--json")
    assert picture.json == {"files": [str(tmp_path / "c.png")], "runs": ["run", "other"]}
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--model", "albert-nano"), 2, "give --model to train a checkpoint further, or --config for fresh weights"),
        (("--tokens", "5e3"), 2, "steps and tokens are both given"),
        (("--start", "teacher", "--teacher", "v.parquet"), 1, "v.parquet: there is no such file"),
        (("--data", "nowhere.txt"), 1, "nowhere.txt: there is no such file"),
    ],
)
def test_mistakes_are_one_sentence(
    albertkit: Runner, tmp_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    outcome = albertkit(*_arguments(tmp_path / "run", *arguments))
    assert outcome.status == code
    assert words in outcome.err
    assert not (tmp_path / "run").exists()


def test_an_empty_text_loses_nothing(albertkit: Runner, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('text\n"a film"\n""\n')
    outcome = albertkit(*_arguments(tmp_path / "run", tmp_path / "t.csv"))
    assert "t.csv, row 2: the text is empty" in outcome.failure()
    assert not (tmp_path / "run").exists()
