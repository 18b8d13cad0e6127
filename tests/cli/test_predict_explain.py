"""`albertkit predict --explain`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.running import ONE_THREAD, Runner
from tests.tiny import leftovers, tiny_network

from albertkit.models.loaded import Model
from albertkit.models.pretrained import save_model, with_task_head
from albertkit.text.tokenizer import Tokenizer

pytest.importorskip("captum")
TEXTS = ["a splendid film", "a dreadful film"]


def test_json_has_an_explanation_a_row(albertkit: Runner, run_folder: Path) -> None:
    outcome = albertkit("predict", run_folder, *TEXTS, "--explain", *ONE_THREAD, "--json")
    assert outcome.status == 0
    for row, word in zip(outcome.rows, ("splendid", "dreadful"), strict=True):
        assert list(row) == ["text", "label", "probabilities", "explanation"]
        found = row["explanation"]
        assert list(found) == ["label", "method", "base", "words", "unread"]
        assert (found["label"], found["method"]) == (row["label"], "occlusion")
        assert found["base"] == pytest.approx(row["probabilities"][row["label"]])
        assert [list(each) for each in found["words"]] == [["text", "start", "end", "field", "score"]] * 3
        assert max(found["words"], key=lambda each: each["score"])["text"] == word


def test_text_page_and_file(albertkit: Runner, run_folder: Path, tmp_path: Path) -> None:
    page, out = tmp_path / "why.html", tmp_path / "out.jsonl"
    lines = albertkit("predict", run_folder, TEXTS[0], "--explain", *ONE_THREAD).out.splitlines()
    assert lines[0].startswith("good ")
    assert lines[1].strip() == TEXTS[0]
    assert lines[2].startswith("  for good: splendid +")
    method = ("--explain-method", "gradients", "--explain-label", "bad", "--explain-html", page)
    outcome = albertkit("predict", run_folder, *TEXTS, *method, "--output", out, *ONE_THREAD)
    assert (outcome.status, outcome.out) == (0, "")
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [(row["explanation"]["label"], row["explanation"]["method"]) for row in rows] == [("bad", "gradients")] * 2
    assert page.read_text(encoding="utf-8").count("<section>") == 2
    assert not leftovers(tmp_path)


def test_refusals(albertkit: Runner, run_folder: Path, tmp_path: Path) -> None:
    answers = with_task_head(Model(tiny_network(), Tokenizer.official()), task="question_answering", labels=())
    save_model(answers, tmp_path / "model")
    refused = albertkit("predict", tmp_path / "model", "a", "--explain", *ONE_THREAD)
    assert (refused.status, refused.out) == (2, "")
    assert "explanations are for labels and values of whole texts" in refused.err
    unknown = albertkit("predict", run_folder, "a", "--explain-label", "goood", *ONE_THREAD)
    assert (unknown.status, unknown.out) == (2, "")
    assert 'no label "goood"; did you mean "good"?' in unknown.err
