"""Fine-tuning on questions of which some have no answer: the threshold comes only from the validation part."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.tiny import execution, settings

from albertkit.datasets import open_data
from albertkit.evaluation.evaluate import evaluate
from albertkit.inference.predictor import Predictor
from albertkit.inference.running import run_outputs
from albertkit.tasks import TASKS
from albertkit.training.finetune import finetune
from albertkit.training.splits import choose_splits

TOWNS = ("Rome", "Oslo", "Bonn", "Lima", "Porto")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """60 questions of 20 articles, every third without an answer."""
    rows = []
    for number in range(60):
        name, town = f"Ann{number % 7}", TOWNS[number % 5]
        context = f"{name} lives in {town}. " + "It is a quiet place. " * (number % 3 * 4)
        rows.append(
            {
                "id": f"q{number}",
                "title": f"article {number // 3}",
                "context": context,
                "question": f"Where does {name} {'live' if number % 3 else 'work'}?",
                "answers": {"text": [town], "answer_start": [context.index(town)]}
                if number % 3
                else {"text": [], "answer_start": []},
            }
        )
    path = tmp_path / "questions.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_the_threshold_is_tuned_on_validation_and_kept(data: Path, tmp_path: Path) -> None:
    wanted = settings(data, tmp_path / "run", validation=0.3, test=0.3, epochs=2, max_length=24)
    report = finetune(wanted)
    splits = choose_splits(open_data(data), wanted)
    predictor = Predictor.load(tmp_path / "run", execution=execution())
    kept = predictor.model.task
    assert kept is not None
    encoded = predictor.encode(splits.validation.examples)
    again = TASKS["question_answering_null"].tuned(
        run_outputs(predictor.runtime, encoded.sequences), encoded, splits.validation.examples
    )
    assert vars(kept)["null_threshold"] == pytest.approx(vars(again)["null_threshold"], abs=1e-4)
    assert vars(kept)["null_threshold"] != 0.0
    scored = evaluate(predictor, splits.test)
    assert scored.metrics == pytest.approx(report.metrics)
    assert report.metrics["f1"] <= report.metrics["best_f1"] + 1e-9
    notes = " ".join(report.notes)
    assert "log odds of that exceed" in notes
    assert "chosen on the same split that they score" in notes
    assert "examples are longer than one input and were read in" in notes
    assert "was not tuned" not in notes


def test_nothing_is_tuned_on_what_is_scored(data: Path, tmp_path: Path) -> None:
    report = finetune(settings(data, tmp_path / "run", validation=0.3, epochs=1, max_length=24))
    assert report.split == "30% of train by article (seed 12345)"
    task = Predictor.load(tmp_path / "run", execution=execution()).model.task
    assert task == TASKS["question_answering_null"]
    assert any("the threshold for no answer was not tuned" in note for note in report.notes)
