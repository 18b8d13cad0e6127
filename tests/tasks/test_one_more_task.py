"""One more task is one folder and one line of the registry: the toy trains, scores, predicts, exports and serves."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from tests.cli.running import ONE_THREAD, Runner
from tests.serving.asking import served
from tests.tiny import execution, keyword_folder, keyword_rows, write_csv

from albertkit.errors import UsageError
from albertkit.evaluation.score import score_file
from albertkit.inference.predictor import Predictor
from albertkit.tasks import TASKS


@pytest.fixture
def albertkit(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Runner:
    """Function that runs a command, with the toy's line in the registry."""
    monkeypatch.setitem(TASKS._table, "grading", "tests.toy_task:GRADING")
    return Runner(capfd, monkeypatch)


def test_a_toy_from_training_to_the_server(albertkit: Runner, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    data, run = write_csv(tmp_path / "films.csv", keyword_rows(200)), tmp_path / "run"
    outcome = albertkit(
        "finetune", "--model", keyword_folder(), "--data", data, "--task", "grading", "--out", run, "--epochs", "1",
        "--validation", "0.4", "--max-length", "32", "--json", *ONE_THREAD,
    )  # fmt: skip
    assert outcome.status == 0, outcome.err
    assert outcome.json["task"] == "grading"
    assert [baseline["name"] for baseline in outcome.json["baselines"]] == ["first_grade"]
    assert "first grade" in outcome.json["verdict"]["sentence"] or outcome.json["verdict"]["outcome"] == "better"

    outcome = albertkit("evaluate", run, "--data", data, "--predictions", tmp_path / "p.jsonl", "--json", *ONE_THREAD)
    assert outcome.status == 0, outcome.err
    assert (outcome.json["examples"], list(outcome.json["metrics"])) == (200, ["accuracy", "f1"])
    rows = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text().splitlines()]
    assert (rows[0]["id"], len(rows)) == ("0", 200)

    texts = [text for text, _ in keyword_rows(3)]
    outcome = albertkit("predict", run, *texts, *ONE_THREAD)
    assert [line.split("\t")[0] for line in outcome.out.splitlines()] == [f"* {row['grade']}" for row in rows[:3]]

    outcome = albertkit("export", run, "--to", "onnx", "--out", tmp_path / "onnx", "--json")
    assert outcome.status == 0, outcome.err
    exported = Predictor.load(tmp_path / "onnx", execution=execution()).predict(texts)
    assert [row["grade"] for row in exported] == [row["grade"] for row in rows[:3]]

    async def ask() -> list[Any]:
        async with served(Predictor.load(run, execution=execution())) as (client, _):
            answers: list[Any] = (await client.post("/grade", json={"text": texts})).json()["results"]
            return answers

    assert [row["grade"] for row in asyncio.run(ask())] == [row["grade"] for row in rows[:3]]


@pytest.mark.usefixtures("albertkit")
def test_what_a_task_leaves_out_is_refused_or_plain(tmp_path: Path) -> None:
    from albertkit.datasets import load_dataset
    from albertkit.tasks.task import Task

    assert Task.render(TASKS["grading"], {"text": "a", "grade": "good"}) == '{"grade": "good"}'
    data = load_dataset(write_csv(tmp_path / "films.csv", keyword_rows(4)), split="all")
    with pytest.raises(UsageError, match="for which prediction files cannot be scored"):
        TASKS["grading"].score_file(data, tmp_path / "p.csv", None)
    (tmp_path / "p.csv").write_text("prediction\n" + "\n".join(label for _, label in keyword_rows(4)))
    assert score_file(data, tmp_path / "p.csv").metrics["accuracy"] == 100.0
