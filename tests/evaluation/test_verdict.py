"""Verdict: which baseline counts, when a difference is one, and the sentence for each outcome."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from albertkit.errors import RunError
from albertkit.evaluation.report import Report
from albertkit.evaluation.report_table import render
from albertkit.evaluation.typed_json import to_json
from albertkit.evaluation.verdict import OUTCOMES, Verdict, judge
from albertkit.scoring.baseline import Baseline
from albertkit.scoring.intervals import difference_spread


def baselines(**scores: float) -> list[Baseline]:
    """Baselines by name with the accuracy of each."""
    words = {
        "majority": "always predicting the same answer", "tfidf_logistic_regression": "TF-IDF with logistic regression"
    }  # fmt: skip
    return [
        Baseline(name, {"accuracy": score}, 0.1, words=words.get(name, ""), trivial=name == "majority")
        for name, score in scores.items()
    ]


@pytest.mark.parametrize(
    ("score", "others", "examples", "outcome", "sentence"),
    [
        (84.5, {"majority": 50.9, "tfidf_logistic_regression": 80.0}, 872, "better",
         "The model beats TF-IDF with logistic regression (accuracy 84.5 against 80.0, on 872 examples)."),
        (76.3, {"majority": 50.0, "tfidf_logistic_regression": 75.1}, 1066, "tie",
         "No clear difference from TF-IDF with logistic regression (accuracy 76.3 against 75.1): with 1,066 "
         "examples, differences up to 3.6 points can be chance."),
        (49.4, {"majority": 50.6, "tfidf_logistic_regression": 79.8}, 500, "worse",
         "TF-IDF with logistic regression is better: accuracy 79.8 against 49.4 for this model, which is no "
         "better than always predicting the same answer."),
        (70.0, {"majority": 50.6, "tfidf_logistic_regression": 79.8}, 500, "worse",
         "TF-IDF with logistic regression is better: accuracy 79.8 against 70.0 for this model."),
        (50.0, {"majority": 50.6, "tfidf_logistic_regression": 50.2}, 500, "trivial",
         "The score is no better than always predicting the same answer (accuracy 50.0 against 50.6)."),
        (100.0, {"majority": 50.0}, 4, "trivial",
         "The score is no better than always predicting the same answer (accuracy 100.0 against 50.0)."),
        (61.0, {"own": 70.0}, 5000, "worse", "Own is better: accuracy 70.0 against 61.0 for this model."),
    ],
)  # fmt: skip
def test_the_best_baseline_decides(
    score: float, others: dict[str, float], examples: int, outcome: str, sentence: str
) -> None:
    found = judge({"accuracy": score, "f1": 1.0}, baselines=baselines(**others), examples=examples)
    assert found is not None
    assert (found.outcome, found.sentence) == (outcome, sentence)
    assert found.baseline == max(others, key=lambda name: others[name])
    assert found.difference == pytest.approx(score - max(others.values()))


def test_the_spread_is_that_of_repeated_draws() -> None:
    random = np.random.RandomState(3)
    draws = 100 * (random.binomial(500, 0.8, 20_000) - random.binomial(500, 0.76, 20_000)) / 500
    assert difference_spread(80.0, 76.0, metric="accuracy", examples=500) == pytest.approx(1.96 * draws.std(), rel=0.03)
    pairs = random.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], size=(2_000, 400))
    found = np.array([np.corrcoef(sample.T)[0, 1] for sample in pairs])
    expected = 1.96 * 100 * math.sqrt(2) * found.std()
    assert difference_spread(60.0, 60.0, metric="pearson", examples=400) == pytest.approx(expected, rel=0.05)


def test_what_cannot_be_compared_has_no_verdict() -> None:
    assert judge({"accuracy": math.nan}, baselines=baselines(majority=50.0), examples=9) is None
    assert judge({"accuracy": None}, baselines=baselines(majority=50.0), examples=9) is None
    assert judge({}, baselines=(), examples=9) is None
    assert judge({"accuracy": 50.0}, baselines=baselines(majority=math.nan), examples=9) is None
    assert judge({"f1": 50.0}, baselines=baselines(majority=50.0), examples=9) is None


def test_a_training_that_got_nowhere_is_the_verdict_whatever_it_scored() -> None:
    found = judge({"accuracy": 90.0}, baselines=baselines(majority=50.0), examples=900, untrained="It is stuck.")
    assert found is not None
    assert (found.outcome, found.sentence, found.difference) == ("stuck", "It is stuck.", 40.0)
    assert judge({}, baselines=(), examples=9, untrained="It is stuck.") == Verdict("stuck", "It is stuck.")


def test_the_report_keeps_it_and_prints_it_last(make_report: Callable[..., Report], tmp_path: Path) -> None:
    verdict = Verdict("worse", "[red]TF-IDF wins.", ("train longer (--epochs 12)",), "accuracy", "majority", -3.0, 2.5)
    make_report(verdict=verdict).write(tmp_path)
    assert json.loads((tmp_path / "report.json").read_text())["verdict"] == {
        "outcome": "worse",
        "sentence": "[red]TF-IDF wins.",
        "advice": ["train longer (--epochs 12)"],
        "metric": "accuracy",
        "baseline": "majority",
        "difference": -3.0,
        "spread": 2.5,
    }
    assert verdict.outcome in OUTCOMES
    again = Report.read(tmp_path)
    assert again.verdict == verdict
    stream = StringIO()
    render(again, console=Console(file=stream, width=120))
    assert stream.getvalue().splitlines()[-2:] == ["Verdict: [red]TF-IDF wins.", "Try: train longer (--epochs 12)."]


@pytest.mark.parametrize("value", ["worse", {"outcome": "worse"}, {**to_json(Verdict("tie", "x")), "advice": "y"}])
def test_a_verdict_of_another_kind_is_refused(make_report: Callable[..., Report], value: object) -> None:
    with pytest.raises(RunError, match="verdict"):
        Report.from_dict({**make_report().to_dict(), "verdict": value})
