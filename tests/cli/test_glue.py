"""`albertkit glue`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.running import ONE_THREAD, Runner
from tests.tiny import tiny_folder
from tests.tiny_glue import write_glue

from albertkit.errors import RunError

SHORT = ("--model", tiny_folder(), "--steps", "2", "--batch-size", "8", "--max-length", "32", *ONE_THREAD)


def test_json_is_the_table_and_resume_goes_on(albertkit: Runner, tmp_path: Path) -> None:
    data, out = write_glue(tmp_path / "glue", ["cola", "wnli"]), tmp_path / "out"
    arguments = ("glue", "--data-dir", data, "--out", out, *SHORT)
    first = albertkit(*arguments, "--tasks", "cola", "--json")
    assert first.status == 0, first
    found = first.json
    assert set(found) == {
        "model", "split", "tasks", "missing", "average", "published", "submission", "failed", "notes",
    }  # fmt: skip
    assert found == json.loads((out / "table.json").read_text())
    (cola,) = found["tasks"]
    assert (cola["task"], cola["name"], cola["seeds"], cola["examples"]) == ("cola", "CoLA", [1], 24)
    assert (found["average"], found["missing"], found["submission"]["complete"]) == (None, [], False)
    assert "[1/1] CoLA seed 1: mcc" in first.err

    refused = albertkit(*arguments).failure()
    assert "exists and is not empty; give another --out or --resume to continue" in refused

    second = albertkit(*arguments, "--resume")
    assert second.status == 0, second
    assert "(done before)" in second.err
    assert "QNLI is missing: no folder QNLI with its files" in second.out
    assert "submission-incomplete.zip is not valid for the GLUE server" in second.out
    assert second.out.splitlines()[-1] == f"table: {out}/table.md, {out}/table.json"
    score = albertkit(
        "score", "glue/cola", "--data-dir", data, "--predictions", out / "CoLA" / "seed-1" / "dev.tsv", "--json"
    )
    assert score.json["metrics"] == cola["metrics"]


def test_wrong_calls_are_one_sentence(albertkit: Runner, tmp_path: Path) -> None:
    outcome = albertkit("glue", "--data-dir", tmp_path, "--out", tmp_path / "out", "--tasks", "cola,sst")
    assert (outcome.status, outcome.out) == (2, "")
    assert 'unknown GLUE task "sst"; did you mean "sst2"?' in outcome.err
    words = albertkit("glue", "--data-dir", tmp_path / "no", "--out", tmp_path / "out").failure()
    assert "does not exist; give GLUE's folder or an archive of it with --data-dir" in words
    words = albertkit("glue", "--data-dir", tmp_path, "--out", tmp_path / "out").failure()
    assert "no task of GLUE can be run" in words


def test_a_stop_and_a_failure_say_how_to_go_on(
    albertkit: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_glue(tmp_path / "glue", ["cola"])
    arguments = ("glue", "--data-dir", tmp_path / "glue", "--out", tmp_path / "out", *SHORT)

    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    def diverged(*_: object, **__: object) -> None:
        raise RunError("the loss diverged")

    monkeypatch.setattr("albertkit.training.glue.runs.finetune", stopped)
    outcome = albertkit(*arguments)
    assert outcome.status == 130
    assert f"repeat the command with --resume to continue in {tmp_path / 'out'}" in outcome.err
    monkeypatch.setattr("albertkit.training.glue.runs.finetune", diverged)
    outcome = albertkit(*arguments, "--resume")
    assert outcome.status == 1
    assert "error: 1 of the runs failed (CoLA seed 1: the loss diverged); --resume tries them again" in outcome.err
