"""A score of a few examples is not shown as one: 32 rows, three of which select the epoch and give the score."""

from __future__ import annotations

from pathlib import Path

from tests.cli.running import ONE_THREAD, Runner
from tests.tiny import keyword_folder, keyword_rows, write_csv

SHORT = ("--epochs", "2", "--batch-size", "8", "--max-length", "32", *ONE_THREAD)


def test_a_table_of_32_rows(albertkit: Runner, tmp_path: Path) -> None:
    data = write_csv(tmp_path / "t.csv", keyword_rows(32))
    given = ("finetune", "--model", keyword_folder(), "--data", data, "--out")
    shown = albertkit(*given, tmp_path / "run", *SHORT)
    assert shown.status == 0
    row = next(line for line in shown.out.splitlines() if line.strip().startswith("accuracy, %"))
    assert "too few examples to score (3)" in row
    said = [line for line in (shown.out + shown.err).splitlines() if line.startswith("epoch ")]
    assert len([line for line in said if line.endswith("too few examples to score (3)")]) == 2
    found = albertkit(*given, tmp_path / "again", *SHORT, "--json").json
    assert found["too_few_examples"] is True
    low, high = found["intervals"]["accuracy"]
    assert low <= found["metrics"]["accuracy"] <= high
    assert high - low > 30


def test_a_table_of_many_rows(albertkit: Runner, run_folder: Path, tmp_path: Path) -> None:
    data = write_csv(tmp_path / "t.csv", keyword_rows(80, seed=5))
    found = albertkit("evaluate", run_folder, "--data", data, *ONE_THREAD, "--json").json
    assert found["too_few_examples"] is False
    shown = albertkit("evaluate", run_folder, "--data", data, *ONE_THREAD).out
    low, high = found["intervals"]["accuracy"]
    assert f"{found['metrics']['accuracy']:.2f}   {low:.1f} to {high:.1f}" in shown
