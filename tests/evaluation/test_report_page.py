"""The page of a run: complete, escaped, well-formed, and made of one file."""

from __future__ import annotations

from collections.abc import Callable
from xml.etree import ElementTree

import pytest

from albertkit.evaluation.few_shot import Candidate, FewShotChoice
from albertkit.evaluation.report import Report
from albertkit.evaluation.report_page import report_page
from albertkit.evaluation.verdict import Verdict
from albertkit.scoring.mistakes import Mistake
from albertkit.scoring.score import Confusion

MakeReport = Callable[..., Report]
NASTY = '<script>alert("1")</script> & <b>'
MISTAKES = (
    Mistake("7", NASTY, "negative", "[red]pos", None, 0.98),
    Mistake("q<1>", "a", "negative", "[red]pos", NASTY, 0.5),
)


def body_of(page: str) -> ElementTree.Element:
    """Read what is between the body's tags, which is well-formed XML but for SVG's prefixes."""
    body = page[page.index("<body>") : page.index("</html>")]
    return ElementTree.fromstring(body.replace("xlink:href", "href"))


def headings(body: ElementTree.Element) -> list[str]:
    return ["".join(each.itertext()) for each in body.iter("h2")]


def rows(body: ElementTree.Element, label: str) -> list[list[str]]:
    table = next(each for each in body.iter("table") if each.get("aria-label") == label)
    return [["".join(cell.itertext()) for cell in row] for row in table.iter("tr")]


def test_everything_of_a_run_is_there(make_report: MakeReport) -> None:
    verdict = Verdict("better", "The model beats guessing.")
    report = make_report(mistakes=MISTAKES, verdict=verdict, intervals={"accuracy": (80.0, 95.0)}, examples=700)
    page = report_page(report, name="run", command="albertkit finetune --out 'a b'")
    body = body_of(page)
    assert headings(body) == [
        "Result",
        "Training",
        "Confusion matrix",
        "Calibration",
        "Examples that went wrong",
        "Notes",
        "Repeat this run",
    ]
    assert rows(body, "Scores on test")[1] == ["accuracy, %", "87.50", "80.0 to 95.0", "50.00"]
    assert rows(body, "Confusion matrix")[1] == ["negative", "3", "1"]
    assert rows(body, "Examples that went wrong")[1] == ["7", NASTY, "negative", "[red]pos", "98%"]
    assert ["epochs", "3"] in rows(body, "settings")
    assert "The model beats guessing." in page
    assert next(body.iter("code")).text == "albertkit finetune --out 'a b'"
    pictures = [each for each in body.iter() if each.get("role") == "img"]
    assert [each.get("aria-label", "").split(" of ")[0] for each in pictures] == [
        "loss",
        "accuracy, %",
        "accuracy by confidence",
    ]


def test_texts_of_users_are_escaped_and_nothing_is_loaded(make_report: MakeReport) -> None:
    confusion = Confusion((NASTY, "b"), ((1, 0), (0, 1)))
    changes = {"mistakes": MISTAKES, "confusion": confusion, "model": NASTY, "data": NASTY, "notes": (NASTY,)}
    page = report_page(make_report(**changes), name=NASTY, command=NASTY)
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 7
    assert not any(word in page for word in (" src=", "@import", "url(h", 'href="h'))


def test_ids_on_the_page_differ(make_report: MakeReport) -> None:
    found = [each.get("id") for each in body_of(report_page(make_report(), name="r", command=None)).iter()]
    named = [each for each in found if each]
    assert len(named) == len(set(named))
    assert len({each.split("-")[0] for each in named}) == 3  # as many as pictures


def test_pictures_follow_the_colours_of_the_page(make_report: MakeReport) -> None:
    page = report_page(make_report(), name="r", command=None)
    drawn = page[page.index("<svg") : page.rindex("</svg>")]
    assert "var(--ink)" in drawn
    assert not any(colour in drawn for colour in ("#333333", "#ffffff", "#e3e3e3"))


def test_a_report_with_little_has_a_page(make_report: MakeReport) -> None:
    bare = Report("similarity", "pairs.csv", "m", {"spearman": None}, "dev")
    assert headings(body_of(report_page(bare, name="r", command=None))) == ["Result", "Repeat this run"]
    few = make_report(intervals={"accuracy": (10.0, 95.0)}, mistakes=MISTAKES)
    page = report_page(few, name="r", command=None, curves=False)
    assert "<svg" not in page
    assert "87.50" not in page
    assert "Calibration" not in headings(body_of(page))


def test_what_few_shot_training_tried(make_report: MakeReport) -> None:
    tried = Candidate("frozen_mean", 80.0, 2.0, 5, 1.0, 0.5)
    choice = FewShotChoice("frozen_mean", "it is best", "accuracy", 5, (tried,))
    body = body_of(report_page(make_report(few_shot=choice), name="r", command=None))
    assert rows(body, "Candidates")[1][0] == "frozen_mean *"


@pytest.mark.parametrize(("labels", "drawn"), [(30, True), (31, False)])
def test_a_matrix_of_many_labels_is_left_to_the_file(make_report: MakeReport, labels: int, *, drawn: bool) -> None:
    names = tuple(f"l{number}" for number in range(labels))
    confusion = Confusion(names, tuple((1,) * labels for _ in names))
    page = report_page(make_report(confusion=confusion), name="r", command=None, curves=False)
    assert ("is in report.json" in page) != drawn
