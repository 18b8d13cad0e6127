"""What a label column means."""

from __future__ import annotations

import pytest

from albertkit.datasets.labels import check_labels, collect_labels, infer_task, parse_label
from albertkit.errors import DataError


@pytest.mark.parametrize(
    "values, labels",
    [
        (["10", "9", "-1", "9"], ("-1", "9", "10")),
        ([10, 9.0, True], ("10", "9", "true")),
        (["b", "a", None, "nan", ""], ("a", "b")),
    ],
)
def test_labels_are_sorted(values: list[object], labels: tuple[str, ...]) -> None:
    assert collect_labels(values, task="classification") == labels


def test_regression_has_no_labels() -> None:
    assert collect_labels(["1.5"], task="regression") == ()


@pytest.mark.parametrize(
    "values, task",
    [
        (["1.0", "2.5", ""], "regression"),
        ([1.0, 2.0], "classification"),
        (["1", "2.5"], "regression"),
        (["1", "2.5", "high"], "classification"),
        ([True, False], "classification"),
        ([2.5, 1.25], "regression"),
        ([["a"], ["a", "b"]], "multilabel"),
        ([], "classification"),
    ],
)
def test_task_of_a_column(values: list[object], task: str) -> None:
    assert infer_task(values) == task


@pytest.mark.parametrize(
    "value, task, meaning",
    [
        (" b ", "classification", 1),
        ("4.50", "regression", 4.5),
        (["c", "a", "a"], "multilabel", (0, 2)),
        ("c|a", "multilabel", (0, 2)),
        ([], "multilabel", ()),
        ("", "multilabel", ()),
    ],
)
def test_meaning(value: object, task: str, meaning: object) -> None:
    assert parse_label(value, task=task, labels=("a", "b", "c")) == meaning


@pytest.mark.parametrize(
    "value, task, message",
    [
        (
            "negativ",
            "classification",
            r'label "negativ" is not one of .*\(negative, positive\); did you mean "negative"',
        ),
        (float("nan"), "classification", "the label is missing"),
        (None, "multilabel", "the label is missing"),
        (["negative"], "classification", "a list, not a text"),
        ("high", "regression", '"high" is not a number'),
        ("inf", "regression", "inf is not a finite number"),
    ],
)
def test_refusals(value: object, task: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_label(value, task=task, labels=("negative", "positive"))


@pytest.mark.parametrize("pair", [("Yes", "yes"), ("not  good", "not good"), ("ｙｅｓ", "yes"), ("STRASSE", "straße")])
def test_labels_that_are_one(pair: tuple[str, str]) -> None:
    with pytest.raises(
        DataError, match=rf'mail.csv: the labels "{pair[0]}" and "{pair[1]}" differ only in case'
    ) as told:
        check_labels(("maybe", *pair), where="mail.csv", task="classification")
    assert "\n" not in str(told.value)


def test_labels_that_are_different_and_none_at_all() -> None:
    check_labels(("no", "non", "0", "00", "-0"), where="mail.csv", task="multilabel")
    check_labels((), where="mail.csv", task="regression")
    with pytest.raises(DataError, match=r"mail.csv: no row has a label"):
        check_labels((), where="mail.csv", task="multilabel")
