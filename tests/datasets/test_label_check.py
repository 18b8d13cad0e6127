"""Warnings on tiny splits, rare labels and contradictions."""

from __future__ import annotations

from albertkit.data.examples import TextExample
from albertkit.datasets.dataset import Dataset
from albertkit.datasets.label_check import contradictions, data_warnings, rare_labels, tiny_split

LABELS = ("hapy", "happy", "sad")


def split(name: str, *labels: int, metrics: tuple[str, ...] = ("accuracy",), task: str = "classification") -> Dataset:
    rows = [TextExample(f"{name} {number}", label=label) for number, label in enumerate(labels)]
    return Dataset("a.csv", name, task, LABELS if task == "classification" else (), metrics, rows)


def test_three_rows_that_choose_and_score() -> None:
    train, held = split("90% of train", *[1, 2] * 15), split("10% of train", 1, 2, 1)
    (told,) = data_warnings(train, held, held)
    assert told.startswith(
        "10% of train: only 3 rows select the epoch and give the score: one row is 33.3 points of acc"
    )
    assert "label more rows, hold out more (--validation 0.3 --test 0.3)" in told


def test_each_split_is_named_and_large_ones_are_not() -> None:
    train, dev, test = split("train", *[1, 2] * 15), split("dev", *[1] * 49), split("test", *[1] * 50)
    (told,) = data_warnings(train, dev, test)
    assert told.startswith("dev: only 49 rows select the epoch: one row is 2.0 points")
    (told,) = tiny_split(split("dev", 1, 2, metrics=("pearson",), task="regression"), "give the score")
    assert "a pearson correlation of so few rows moves with every row" in told
    assert tiny_split(split("dev"), "give the score") == []


def test_a_misspelt_label_is_named_with_the_one_it_is_like() -> None:
    train = split("train", 0, *[1, 2] * 16)
    (told,) = rare_labels(train, [train])
    assert told.startswith("rare labels, each treated as a class: hapy (1 row): did you mean happy?. A class needs")
    held = split("dev", 0, 0)
    (told,) = rare_labels(split("train", *[1, 2] * 16), [split("train", *[1, 2] * 30), held])
    assert "hapy (2 rows, none of them in training): did you mean happy?" in told


def test_labels_that_are_not_rare() -> None:
    train = split("train", 0, 0, *[1, 2] * 9)  # two of eighteen are few, but not a tenth
    assert rare_labels(train, [train]) == []
    few = split("train", 0, 1, 2)
    assert rare_labels(few, [few]) == []
    numbers = split("train", 1, 2, task="regression")
    assert rare_labels(numbers, [numbers]) == []


def test_one_text_with_two_labels() -> None:
    rows = [TextExample("same", label=1), TextExample("same", label=2), TextExample("other", label=1)]
    data = Dataset("a.csv", "train", "classification", LABELS, ("accuracy",), rows)
    (told,) = contradictions([data])
    assert told.startswith('1 text has rows with different labels (2 rows; the first: "same")')
    assert contradictions([split("train", 1, 1)]) == []
