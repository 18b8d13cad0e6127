"""The printed report: what a reader must find in it."""

from __future__ import annotations

import io
from collections.abc import Callable

from rich.console import Console

from albertkit.evaluation.few_shot import Candidate, FewShotChoice
from albertkit.evaluation.report import ChosenBy, Report
from albertkit.evaluation.report_table import render
from albertkit.scoring.baseline import Baseline
from albertkit.scoring.score import Confusion

MakeReport = Callable[..., Report]


def printed(report: Report, *, encoding: str = "utf-8", width: int = 100) -> str:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, write_through=True)
    render(report, console=Console(file=stream, width=width, force_terminal=False))
    return raw.getvalue().decode(encoding)


def test_scores_baselines_choice_and_notes_are_there(make_report: MakeReport) -> None:
    text = printed(make_report())
    assert "albert-nano on imdb (classification)" in text
    row = next(line for line in text.splitlines() if line.strip().startswith("accuracy, %"))
    assert row.split()[-2:] == ["87.50", "50.00"]
    assert "Scored on test (7 examples); epoch 3 had the best accuracy on validation." in text
    assert "Rows skipped: train 2." in text
    assert "Note: 2 rows have no label." in text
    assert "Expected calibration error" in text
    assert "3 *" in text


def test_names_of_baselines_are_shown_in_full(make_report: MakeReport) -> None:
    baselines = [Baseline(name, {"accuracy": 50.0}, 0.1) for name in ("majority", "tfidf_logistic_regression")]
    for width in (60, 80, 100):
        text = printed(make_report(baselines=baselines, intervals={"accuracy": (80.0, 90.0)}), width=width)
        table = text.partition("Model and teacher")[0]
        assert "\u2026" not in table
        words = table.split()
        assert {"majority", "tfidf", "logistic", "regression"} <= set(words)


def test_a_student_is_beside_its_teacher(make_report: MakeReport) -> None:
    text = printed(make_report())
    _, _, table = text.partition("Model and teacher (runs/large)\n")
    rows = [" ".join(line.split()) for line in table.splitlines()[1:]]
    assert rows[0] == "student teacher"
    assert rows[2:8] == [
        "accuracy, % 87.50 91.25",
        "F1, % 86.25 90.00",
        "parameters - 11,683,584",
        "megabytes on disk 19.4 46.7",
        "texts per second 1,234.5 12.5",
        "same answer, % 85.71",
    ]
    assert "teacher" not in printed(make_report(teacher=None))


def test_label_names_are_no_markup(make_report: MakeReport) -> None:
    assert "[red]pos" in printed(make_report())


def test_long_histories_are_shortened_and_say_so(make_report: MakeReport) -> None:
    text = printed(make_report(100, best_epoch=37))
    assert "37 *" in text
    assert "of 100 epochs are not shown" in text
    table = text[text.index("Epochs") : text.index("of 100 epochs")].splitlines()[:-1]
    first = [line.split()[0] for line in table if line.strip()[:1].isdigit()]
    assert first[0] == "1"
    assert first[-1] == "100"


def test_many_labels_point_to_the_file(make_report: MakeReport) -> None:
    labels = tuple(f"label {number}" for number in range(11))
    matrix = tuple((0,) * 11 for _ in labels)
    assert "The confusion matrix of 11 labels is in report.json." in printed(
        make_report(confusion=Confusion(labels, matrix))
    )


def test_numbers_that_are_missing_and_reports_without_extras_print(make_report: MakeReport) -> None:
    text = printed(make_report(metrics={"accuracy": None}, epochs=[{"train": {"loss": None}}], best_epoch=1))
    assert " - " in text
    bare = printed(Report("classification", "imdb", "albert-nano", {"mcc": 12.5}, "dev"))
    assert "12.50" in bare
    assert "Scored on dev." in bare


def test_a_terminal_without_unicode_is_no_error(make_report: MakeReport) -> None:
    assert "87.50" in printed(make_report(), encoding="ascii")


def test_few_shot_shows_its_candidates_instead_of_epochs(make_report: MakeReport) -> None:
    choice = FewShotChoice(
        chosen="frozen_mean",
        why="frozen_mean: 71.2 accuracy",
        metric="accuracy",
        folds=5,
        candidates=(Candidate("frozen_mean", 71.23, 3.1, 5, strength=0.01, seconds=1.5),),
        baseline=Candidate("tfidf_logistic_regression", 65.5, 4.0, 5),
    )
    text = printed(make_report(few_shot=choice))
    rows = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.strip()}
    assert rows["frozen_mean"] == ["*", "71.23", "3.10", "5", "0.01", "1.5"]
    assert rows["tfidf_logistic_regression"] == ["65.50", "4.00", "5", "-", "0.0"]
    assert "Chosen: frozen_mean: 71.2 accuracy." in text
    assert "epoch" not in text


def row_of(text: str, start: str) -> str:
    return " ".join(next(line for line in text.splitlines() if line.strip().startswith(start)).split())


def test_a_score_is_shown_with_its_interval(make_report: MakeReport) -> None:
    text = printed(make_report(examples=200, intervals={"accuracy": (82.2, 91.4)}))
    assert "this model 95 % interval majority" in " ".join(text.split())
    assert row_of(text, "accuracy, %") == "accuracy, % 87.50 82.2 to 91.4 50.00"
    assert row_of(text, "F1, %") == "F1, % 86.25 - 0.00"


def test_a_score_of_a_few_examples_is_not_shown(make_report: MakeReport) -> None:
    few = make_report(examples=3, intervals={"accuracy": (20.8, 93.9)}, chosen_by=ChosenBy("test", "accuracy"))
    text = printed(few)
    assert row_of(text, "accuracy, %") == "accuracy, % too few examples to score (3) 20.8 to 93.9"
    assert row_of(text, "F1, %") == "F1, % too few examples to score (3) -"
    assert "87.50" not in text
    assert "Expected calibration error" not in text
    assert row_of(text, "3 *").split()[-1] == "-"  # the same split chose the epoch
    assert few.to_dict()["metrics"] == {"accuracy": 87.5, "f1": 86.25}
    assert few.to_dict()["too_few_examples"] is True
    assert Report.from_dict(few.to_dict()).too_few_examples
