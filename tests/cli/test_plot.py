"""`albertkit plot`: the picture, its JSON, its refusals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from albertkit.cli.plot import command
from albertkit.errors import AlbertkitError
from albertkit.evaluation.report import Report


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def write_report(folder: Path, *, metric: str = "accuracy", num_epochs: int = 2) -> Path:
    scores = {"loss": 0.5, metric: 80.0}
    folder.mkdir(parents=True)
    Report(
        "classification",
        "imdb",
        "albert-nano",
        {metric: 80.0},
        "test",
        best_epoch=1,
        epochs=[{"train": scores, "validation": scores}] * num_epochs,
    ).write(folder)
    return folder


def test_one_picture_for_several_runs(tmp_path: Path) -> None:
    first, second = write_report(tmp_path / "frozen", num_epochs=9), write_report(tmp_path / "tuned")
    out = tmp_path / "new" / "curves.png"
    result = run(first, second, "--out", out)
    assert (result.exit_code, result.output) == (0, f"{out}: frozen, tuned\n")
    assert out.read_bytes().startswith(b"\x89PNG")


def test_json_names_files_and_runs_told_apart_by_their_parents(tmp_path: Path) -> None:
    runs = [write_report(tmp_path / parent / "run") for parent in ("a", "b")]
    out = tmp_path / "curves.png"
    result = run(*runs, "--out", out, "--json")
    assert json.loads(result.stdout) == {"files": [str(out)], "runs": ["a/run", "b/run"]}


def test_a_broken_run_is_one_sentence_and_no_picture(tmp_path: Path) -> None:
    good = write_report(tmp_path / "good")
    out = tmp_path / "curves.png"
    for arguments, words in (
        ((good, tmp_path / "missing"), "report.json: not found"),
        ((good, write_report(tmp_path / "other", metric="mcc")), "different main metrics"),
        ((good, good), "named more than once"),
    ):
        result = run(*arguments, "--out", out)
        assert isinstance(result.exception, AlbertkitError)
        assert words in str(result.exception)
        assert "\n" not in str(result.exception)
        assert not out.exists()


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_has_an_example(option: str) -> None:
    result = run(option)
    assert result.exit_code == 0
    assert "$ albertkit plot runs/frozen runs/finetuned --out curves.png" in result.output


def test_usage_errors_exit_2(tmp_path: Path) -> None:
    assert run("--out", tmp_path / "x.png").exit_code == 2
    assert run(tmp_path).exit_code == 2
