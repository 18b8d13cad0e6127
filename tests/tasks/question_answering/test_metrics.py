"""Exact match and F1 of answers: the numbers that SQuAD's own scripts print for the same files."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from albertkit.data.examples import Answer, SpanExample
from albertkit.datasets import load_dataset
from albertkit.errors import DataError, UsageError
from albertkit.tasks.question_answering.metrics import exact_match, normalize_answer, span_scores, word_f1


def question(key: str | None, *answers: str) -> SpanExample:
    return SpanExample(f"Which one is {key}?", " ".join(answers), tuple(Answer(text, 0) for text in answers), key)


ANSWERED = [
    question("q1", "the Norman conquest", "conquest of 1066"),
    question("q2", "10th and 11th centuries"),
    question("q3", "$5 million", "five million"),
    question("q4", "The"),
    question("q5", "Rollo", "the Viking leader Rollo"),
]
ALL = [*ANSWERED, question("n1"), question("n2"), question("n3")]
GIVEN = {
    "q1": "Norman  Conquest!",
    "q2": "the 11th century",
    "q3": "",
    "q4": "a",
    "q5": "leader of the Vikings, Rollo",
    "n1": "",
    "n2": "France",
    "n3": "an",
}
ODDS = {"q1": -3.5, "q2": 0.25, "q3": 2.0, "q4": -1.0, "q5": 1.5, "n1": 3.0, "n2": 1.25, "n3": -2.0, "other": 9.0}


def test_version_1_1_as_the_official_script_prints_it() -> None:
    found = span_scores(ANSWERED, predictions={key: GIVEN[key] for key in ("q1", "q2", "q3", "q4", "q5")})
    # evaluate-v1.1.py on the same questions and answers
    assert found.metrics == pytest.approx({"exact": 40.0, "f1": 38.09523809523809})
    assert (found.parts, found.thresholds, found.missing, found.extra) == ({}, {}, (), ())


def test_version_2_0_as_the_official_script_prints_it() -> None:
    found = span_scores(ALL, predictions=GIVEN)
    # evaluate-v2.0.py on the same questions and answers
    assert found.metrics == pytest.approx({"exact": 50.0, "f1": 61.30952380952381})
    assert found.parts["HasAns"] == pytest.approx({"examples": 5, "exact": 40.0, "f1": 58.095238095238095})
    assert found.parts["NoAns"] == pytest.approx({"examples": 3, "exact": 200 / 3, "f1": 200 / 3})


def test_null_odds_as_the_official_script_uses_them() -> None:
    # evaluate-v2.0.py with --na-prob-file, whose --na-prob-thresh is 1.0 where it is left out
    best = {"best_exact": 50.0, "best_f1": 54.166666666666664}
    found = span_scores(ALL, predictions=GIVEN, null_odds=ODDS)
    assert found.metrics == pytest.approx({"exact": 62.5, "f1": 66.66666666666666, **best})
    assert found.parts["HasAns"] == pytest.approx({"examples": 5, "exact": 40.0, "f1": 46.666666666666664})
    assert found.thresholds == {"best_exact_thresh": -3.5, "best_f1_thresh": 0.25}
    lower = span_scores(ALL, predictions=GIVEN, null_odds=ODDS, null_threshold=-1.5)
    assert lower.metrics == pytest.approx({"exact": 50.0, "f1": 50.0, **best})
    assert lower.parts["HasAns"]["exact"] == pytest.approx(20.0)
    assert lower.parts["NoAns"]["exact"] == pytest.approx(100.0)


def test_what_counts_as_equal() -> None:
    assert normalize_answer("An A. Thea the\tan\u00a0end") == "thea end"
    assert normalize_answer("the") == ""
    assert exact_match("U.S.A.", gold="usa") == 1.0
    assert word_f1("red red", gold="red") == pytest.approx(2 / 3)
    assert word_f1("green", gold="red") == 0.0


def test_a_missing_prediction_is_wrong_in_1_1_and_left_out_in_2_0() -> None:
    first = span_scores(ANSWERED, predictions={"q1": "norman conquest", "zz": "?"})
    assert first.metrics == pytest.approx({"exact": 20.0, "f1": 20.0})
    assert (first.missing, first.extra) == (("q2", "q3", "q4", "q5"), ("zz",))
    second = span_scores(ALL, predictions={"q1": "norman conquest", "n2": "France"})
    assert second.metrics == pytest.approx({"exact": 50.0, "f1": 50.0})
    assert len(second.missing) == 6
    only = span_scores(ALL, predictions={"q1": "norman conquest"})
    assert set(only.parts) == {"HasAns"}


def test_refusals() -> None:
    with pytest.raises(DataError, match=r'none of the 5 questions has a prediction .*"zz".*"q1"'):
        span_scores(ANSWERED, predictions={"zz": ""})
    with pytest.raises(DataError, match="there are no predictions"):
        span_scores(ANSWERED, predictions={})
    with pytest.raises(DataError, match="0 questions"):
        span_scores([], predictions={"q1": ""})
    with pytest.raises(DataError, match="question 0 has no id"):
        span_scores([question(None, "x")], predictions={"q1": ""})
    with pytest.raises(DataError, match=r'question 1: the id "q1" was there before'):
        span_scores([question("q1", "x"), question("q1", "y")], predictions={"q1": ""})
    with pytest.raises(DataError, match=r'question "q9" has no known answers'):
        span_scores([SpanExample("?", "c", None, "q9")], predictions={"q9": ""})
    with pytest.raises(DataError, match=r'1 of 8 predictions have no null odds \(the first is "q2"\)'):
        span_scores(ALL, predictions=GIVEN, null_odds={key: odds for key, odds in ODDS.items() if key != "q2"})
    with pytest.raises(UsageError, match=r"null odds work only with SQuAD 2\.0"):
        span_scores(ANSWERED, predictions=GIVEN, null_odds=ODDS)
    with pytest.raises(UsageError, match=r'version "3\.0"; known: 1\.1, 2\.0'):
        span_scores(ANSWERED, predictions=GIVEN, version="3.0")


@pytest.fixture(scope="module")
def squad(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dev files and the published predictions, unpacked."""
    folder = tmp_path_factory.mktemp("squad")
    with tarfile.open(shared / "data" / "squad.tar.xz") as archive:
        wanted = [member for member in archive if "/dev-" in member.name or "/predictions/" in member.name]
        archive.extractall(folder, members=wanted, filter="data")
    return folder / "squad"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "file", "exact", "f1"),
    [
        # Printed by the official scripts for the same pair of files.
        ("squad/v1", "v1.1-bert-ensemble", 86.20624408703878, 92.19557978351129),
        ("squad/v1", "v1.1-logistic-regression", 40.14191106906339, 50.98153647324482),
        ("squad/v2", "v2.0-bert-single", 78.74168280973637, 81.77528052374727),
    ],
)
def test_published_predictions(squad: Path, data: str, file: str, exact: float, f1: float) -> None:
    dataset = load_dataset(data, split="dev", data_dir=squad)
    predictions: Mapping[str, Any] = json.loads((squad / "predictions" / f"{file}.json").read_text(encoding="utf-8"))
    found = span_scores(dataset.examples, predictions=predictions)
    assert found.metrics == pytest.approx({"exact": exact, "f1": f1}, abs=1e-9)
    if data == "squad/v2":
        assert found.parts["HasAns"] == pytest.approx(
            {"examples": 5928, "exact": 74.10593792172739, "f1": 80.18183293833516}, abs=1e-9
        )
        assert found.parts["NoAns"] == pytest.approx(
            {"examples": 5945, "exact": 83.36417157275021, "f1": 83.36417157275021}, abs=1e-9
        )
