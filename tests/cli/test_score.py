"""`albertkit score`."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.running import Runner


def squad_file(path: Path) -> Path:
    """A dev file of SQuAD 2.0 with an answered and an unanswerable question."""
    questions = [
        {
            "id": "q1",
            "question": "What is red?",
            "answers": [{"text": "house", "answer_start": 8}],
            "is_impossible": False,
        },
        {"id": "q2", "question": "What is blue?", "answers": [], "is_impossible": True},
    ]
    paragraph = {"context": "The red house is old.", "qas": questions}
    path.write_text(json.dumps({"version": "v2.0", "data": [{"title": "t", "paragraphs": [paragraph]}]}))
    return path


def test_json(albertkit: Runner, tmp_path: Path) -> None:
    squad_file(tmp_path / "dev-v2.0.json")
    (tmp_path / "p.json").write_text('{"q1": "A house!", "q2": "red", "q3": ""}')
    call = ("score", "squad/v2", "--data-dir", tmp_path, "--predictions", tmp_path / "p.json", "--split", "dev")
    found = albertkit(*call, "--json").json
    assert found == {
        "task": "question_answering",
        "data": "squad/v2",
        "split": "dev",
        "examples": 2,
        "metrics": {"exact": 50.0, "f1": 50.0},
        "parts": {
            "HasAns": {"examples": 1, "exact": 100.0, "f1": 100.0},
            "NoAns": {"examples": 1, "exact": 0.0, "f1": 0.0},
        },
        "notes": ["1 predictions belong to no question of the split (the first: q3)"],
    }
    (tmp_path / "odds.json").write_text('{"q1": -4.5, "q2": 0.5}')
    odds = ("--null-odds", tmp_path / "odds.json", "--null-threshold", "0.25")
    found = albertkit(*call, *odds, "--json").json
    assert found["metrics"] == {"exact": 100.0, "f1": 100.0, "best_exact": 100.0, "best_f1": 100.0}
    assert found["thresholds"] == {"best_exact_thresh": -4.5, "best_f1_thresh": -4.5}


def test_the_table(albertkit: Runner, tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("text,label\na,[red]\nb,blue\nc,blue\n")
    (tmp_path / "p.tsv").write_text("index\tguess\n0\tblue\n1\tblue\n2\tblue\n")
    call = ("score", tmp_path / "mine.csv", "--predictions", tmp_path / "p.tsv", "--prediction-column", "guess")
    outcome = albertkit(*call)
    assert outcome.status == 0
    assert "accuracy, %" in outcome.out
    assert "66.67" in outcome.out


def test_refusals(albertkit: Runner, tmp_path: Path) -> None:
    data = tmp_path / "mine.csv"
    data.write_text("text,label\na,red\nb,blue\n")
    predictions = tmp_path / "p.csv"
    predictions.write_text("prediction\nred\n")
    call = ("score", data, "--predictions", predictions)
    assert "p.csv: 1 predictions for 2 rows, the last at line 2" in albertkit(*call, "--json").failure()
    predictions.write_text("prediction\nred\ngreen\n")
    assert 'p.csv, line 3: label "green" is not one of the labels' in albertkit(*call, "--json").failure()
    assert "no.json does not exist" in albertkit("score", data, "--predictions", tmp_path / "no.json").failure()
    for arguments, words in (
        ((*call, "--split", "tset"), 'has no split "tset"'),
        ((*call, "--null-threshold", "1"), "--null-threshold needs --null-odds"),
        ((*call, "--null-odds", predictions), "--null-odds works only with SQuAD 2.0"),
        ((*call, "--scheme", "BIO"), "'BIO' is not one of"),
        (("score", data), "--predictions is missing"),
        (("score", "squad/v3", "--predictions", predictions), 'unknown data set "squad/v3"'),
    ):
        outcome = albertkit(*arguments, "--json")
        assert (outcome.status, outcome.out) == (2, "")
        assert words in outcome.err
