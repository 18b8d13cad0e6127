"""What a label column means."""

from __future__ import annotations

from decimal import Decimal

import pytest

from albertkit.datasets.labels import check_labels, collect_labels, infer_task, label_text, parse_label, zeros_and_ones
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
        (["['a', 'b']", "[]"], "multilabel"),
        (["['a']", "b"], "multilabel"),
        (["[spam]", "[ham]"], "classification"),
        (["3,5", "2,0"], "regression"),
        (["food, drink", "1,5"], "classification"),
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


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ([1, 1.0, "1", "1.0", "1.00", Decimal("1.0")], "1"),
        ([0, 0.0, "0.0", "-0.0"], "0"),
        ([True, "True", "TRUE", "true"], "true"),
        (["01"], "01"),
        (["1.5", 1.5, Decimal("1.5")], "1.5"),
        (["01.0"], "01.0"),
    ],
)
def test_one_name_for_what_files_write_differently(values: list[object], name: str) -> None:
    assert [label_text(value) for value in values] == [name] * len(values)


def test_names_of_older_runs_and_truth_values_are_found() -> None:
    assert parse_label("1", task="classification", labels=("0.0", "1.0")) == 1
    assert parse_label("True", task="classification", labels=("0", "1")) == 1
    assert parse_label(0, task="classification", labels=("False", "True")) == 0
    assert parse_label("1.0", task="classification", labels=("1", "1.0")) == 1  # a name of its own
    with pytest.raises(ValueError, match='"1" is not one of'):
        parse_label("1", task="classification", labels=("01", "02"))


@pytest.mark.parametrize(
    ("values", "count"),
    [
        ([[0, 1, 0], [1, 1, 0]], 3),
        ([[0.0, 1.0], [1.0, 1.0]], 2),
        ([[True, False]], 2),
        (["[0 1 0]", ""], 3),
        (["0|1|0|1"], 4),
        ([[0], [1]], 0),
        ([[0], [1], [0, 1]], 0),  # classes that are called 0 and 1
        (["[0]", "[0, 1]", "[]"], 0),
        ([[0, 1], [1, 0], []], 2),
        ([[0, 1, 0], [1, 0]], 3),  # a row is too short
        ([[0, 1], [2]], 0),
        ([["a"], ["b", "0"]], 0),
    ],
)
def test_zeros_and_ones(values: list[object], count: int) -> None:
    assert zeros_and_ones(values) == count


def test_labels_by_position() -> None:
    labels = ("sport", "money", "health")
    for value in ([0, 1, 1], [False, True, True], "[0, 1, 1]", "0|1|1"):
        assert parse_label(value, task="multilabel", labels=labels) == (1, 2)
    assert parse_label([0, 0, 0], task="multilabel", labels=labels) == ()
    assert parse_label("['money', 'sport']", task="multilabel", labels=labels) == (0, 1)
    assert parse_label([1], task="multilabel", labels=("spam",)) == (0,)
    assert parse_label([0, 1], task="multilabel", labels=("0", "1")) == (0, 1)  # names of classes
    with pytest.raises(ValueError, match=r"2 zeros and ones for 3 labels \(sport, money, health\)"):
        parse_label([0, 1], task="multilabel", labels=labels)
    with pytest.raises(ValueError, match="the label is missing"):
        parse_label("['sport', nan]", task="multilabel", labels=labels)


def test_a_decimal_comma_says_what_to_write() -> None:
    with pytest.raises(ValueError, match=r'"3,5" is not a number, which regression needs; write 3\.5'):
        parse_label("3,5", task="regression", labels=())


def test_lists_as_json_writes_them_beside_a_name() -> None:
    assert infer_task(['["a", "b"]', '["b"]', "c"]) == infer_task(["['a', 'b']", "['b']", "c"]) == "multilabel"


def test_a_slip_among_zeros_and_ones() -> None:
    lists = [[0, 1, 0], [1, 1, 0]] * 10
    assert zeros_and_ones([*lists, [0, 2, 0]]) == 3
    assert zeros_and_ones([[0, 1, 0], [0, 2, 0]]) == 0
    assert zeros_and_ones([*lists, ["a"]]) == 0
    with pytest.raises(ValueError, match=r"2 is neither 0 nor 1 in \[0, 2, 0\], which has a number for each label"):
        parse_label([0, 2, 0], task="multilabel", labels=("a", "b", "c"))
