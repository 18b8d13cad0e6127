"""One split, the source of splits, and the held-out share."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from albertkit.data.examples import ChoiceExample, SpanExample, TextExample
from albertkit.datasets import Dataset, DataSource, holdout, require_labelled, require_two_labels
from albertkit.datasets.dataset import divide
from albertkit.errors import DataError, UsageError


def toy(count: int = 7, *, labels: list[int | None] | None = None) -> Dataset:
    rows = [TextExample(f"text {i}", label=labels[i] if labels else i % 2) for i in range(count)]
    return Dataset("toy", "train", "classification", ("no", "yes"), ("accuracy",), rows)


def test_a_dataset_is_a_sequence_of_examples() -> None:
    data = toy()
    assert len(data) == len(list(data)) == 7
    assert data[2].text == "text 2"
    assert [row.text for row in data[1:3]] == ["text 1", "text 2"]
    assert [len(batch) for batch in data.batches(3)] == [3, 3, 1]
    assert [row for batch in data.batches(3) for row in batch] == list(data)
    assert not data.is_pair
    assert "text 1" not in repr(data)


def test_take_keeps_the_first_rows() -> None:
    assert [row.text for row in toy().take(2)] == ["text 0", "text 1"]
    assert len(toy().take(99)) == len(toy().take(None)) == 7
    with pytest.raises(UsageError, match="the limit is 0; it must be 1 or more examples"):
        toy().take(0)
    with pytest.raises(UsageError, match="batch size is 0"):
        toy().batches(0)


def test_holdout_parts_a_share_by_seed() -> None:
    train, validation = holdout(toy(50), fraction=0.4, seed=7)
    assert (len(train), len(validation)) == (30, 20)
    assert Counter([*train, *validation]) == Counter(toy(50))
    assert (train.split, validation.split) == ("60% of train (seed 7)", "40% of train (seed 7)")
    assert [row.text for row in validation] == sorted((row.text for row in validation), key=lambda t: int(t.split()[1]))
    assert list(holdout(toy(50), fraction=0.4, seed=7)[1]) == list(validation)
    assert list(holdout(toy(50), fraction=0.4, seed=8)[1]) != list(validation)


def test_holdout_draws_what_numpy_froze() -> None:
    # RandomState(0).permutation(7), as NumPy's documentation promises for ever: [6 2 1 3 0 5 4]
    _, validation = holdout(toy(7), fraction=0.4, seed=0)
    assert [row.text for row in validation] == ["text 1", "text 2", "text 6"]


@pytest.mark.parametrize(
    "fraction, seed, message",
    [(0, 1, "share is 0; it must be"), (1.5, 1, "share is 1.5"), (0.01, 1, "one part empty"), (0.5, -1, "seed is -1")],
)
def test_holdout_refuses(fraction: float, seed: int, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        holdout(toy(), fraction=fraction, seed=seed)


def test_a_source_names_its_splits() -> None:
    source = DataSource(
        "toy", "classification", ("no", "yes"), ("accuracy",), ("train", "dev"), lambda split: toy().take(len(split)),
        aliases={"dev_matched": "dev"}, hint=" (no file)",
    )  # fmt: skip
    assert len(source.split("validation")) == len(source.split("dev_matched")) == len(source.split("val")) == 3
    with pytest.raises(
        UsageError, match=r'toy has no split "tran" \(no file\); available splits: train, dev; did you mean "train"'
    ):
        source.split("tran")


def test_two_labels_are_needed() -> None:
    require_two_labels(toy())
    with pytest.raises(DataError, match='all 3 rows have "yes", but a classifier needs at least two'):
        require_two_labels(toy(3, labels=[1, 1, 1]))
    with pytest.raises(DataError, match="no label at all"):
        require_two_labels(toy(2, labels=[None, None]))


def test_labels_are_needed() -> None:
    require_labelled(toy())
    with pytest.raises(DataError, match="split train: 2 of 3 rows have no label"):
        require_labelled(toy(3, labels=[None, 1, None]))


def questions(*, titles: bool) -> Dataset:
    """20 articles of 1 to 5 passages of 3 questions."""
    rows = [
        SpanExample(
            f"{article} {passage} {number}?", f"{article} {passage}", (), title=f"A{article}" if titles else None
        )
        for article in range(20)
        for passage in range(1 + article % 5)
        for number in range(3)
    ]
    return Dataset("toy", "dev", "question_answering", (), ("exact",), rows)


def test_questions_of_an_article_stay_on_one_side() -> None:
    data = questions(titles=True)
    parts = divide(data, fractions=(0.2, 0.2), seed=7)
    assert [part.split for part in parts] == [f"{share}% of dev by article (seed 7)" for share in (60, 20, 20)]
    assert sum(map(len, parts)) == len(data) == 180
    assert [len(part) for part in parts[1:]] == pytest.approx([36, 36], abs=8)
    titles = [{row.title for row in part} for part in parts]
    assert not titles[0] & titles[1]
    assert not titles[0] & titles[2]
    assert not titles[1] & titles[2]
    order = {row: place for place, row in enumerate(data)}
    assert all(list(part) == sorted(part, key=order.__getitem__) for part in parts)
    assert divide(data, fractions=(0.2,), seed=7)[1].examples == parts[1].examples  # the first share stays


def test_without_articles_passages_stay_together_and_without_these_rows_part() -> None:
    train, validation = holdout(questions(titles=False), fraction=0.1, seed=7)
    assert validation.split == "10% of dev by passage (seed 7)"
    assert not {row.context for row in train} & {row.context for row in validation}
    one = [SpanExample(f"{number}?", "the only passage", (), title="the only article") for number in range(10)]
    assert holdout(replace(questions(titles=True), examples=one), fraction=0.1, seed=7)[1].split == (
        "10% of dev (seed 7)"
    )
    race = [ChoiceExample(f"passage {number // 4}", "q", ("a", "b"), 0) for number in range(40)]
    left, right = holdout(replace(questions(titles=True), examples=race), fraction=0.3, seed=7)
    assert (len(left), len(right), right.split) == (28, 12, "30% of dev by passage (seed 7)")
