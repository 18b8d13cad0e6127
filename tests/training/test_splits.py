"""Which split trains, chooses and scores; a split with two uses is reported."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from albertkit.data.examples import TextExample
from albertkit.datasets.dataset import Dataset, DataSource
from albertkit.errors import DataError, UsageError
from albertkit.training.digest import split_digest
from albertkit.training.settings import FinetuneSettings
from albertkit.training.splits import Splits, choose_splits, scored_part


def source(*, name: str = "toy", one_label: bool = False, **sizes: int | None) -> DataSource:
    """A data set with splits of these sizes; a negative size is a split without labels."""

    def load(split: str) -> Dataset:
        size = sizes[split]
        assert size is not None
        examples = [
            TextExample(f"{split} {row}", label=None if size < 0 else 0 if one_label else row % 2)
            for row in range(abs(size))
        ]
        return Dataset(name, split, "classification", ("no", "yes"), ("accuracy",), examples)

    return DataSource(name, "classification", ("no", "yes"), ("accuracy",), tuple(sizes), load)


def reversed_rows(data: DataSource) -> DataSource:
    """The same rows from the last to the first."""

    def load(split: str) -> Dataset:
        dataset = data.load(split)
        return replace(dataset, examples=dataset.examples[::-1])

    return replace(data, load=load)


def choose(data: DataSource, **values: Any) -> Splits:
    return choose_splits(data, replace(FinetuneSettings("m", data.name, "o", seed=7), **values))


def names(splits: Splits) -> tuple[str, str, str]:
    return splits.train.split, splits.validation.split, splits.test.split


def test_each_split_has_one_use() -> None:
    splits = choose(source(train=40, dev=10, test=10))
    assert names(splits) == ("train", "dev", "test")
    assert splits.notes == ()


def test_test_without_labels_is_passed_over_and_the_double_use_reported() -> None:
    splits = choose(source(train=40, dev=10, test=-10))
    assert names(splits) == ("train", "dev", "dev")
    assert "both selected the epoch and gave the score" in splits.notes[0]


def test_a_share_of_train_chooses_where_there_is_no_dev() -> None:
    splits = choose(source(train=100, test=10))
    assert names(splits) == ("90% of train (seed 7)", "10% of train (seed 7)", "test")
    assert len(splits.train), len(splits.validation) == (90, 10)
    assert not {example.text for example in splits.train} & {example.text for example in splits.validation}
    assert splits.notes[0] == "Held out 10 rows (10 %) to pick the best epoch."


def test_imdb_keeps_the_tutorial_s_share() -> None:
    assert len(choose(source(name="imdb", train=100, test=10)).validation) == 40


def test_shares_and_splits_by_request() -> None:
    data = source(train=100, dev=10, test=10)
    assert names(choose(data, validation=0.25))[1:] == ("25% of train (seed 7)", "test")
    assert names(choose(data, validation_split="test", test_split="dev"))[1:] == ("test", "dev")


def test_one_table_gives_all_splits() -> None:
    splits = choose(source(train=100))
    assert names(splits) == ("90% of train (seed 7)", "10% of train (seed 7)", "10% of train (seed 7)")
    assert any("both selected the epoch and gave the score" in note for note in splits.notes)


def test_a_handful_of_rows_scores_itself_and_says_so() -> None:
    splits = choose(source(train=4))
    assert names(splits) == ("train", "train", "train")
    assert "the scores are on the training examples" in splits.notes[0]


def test_the_limit_holds_for_each_split_and_is_told() -> None:
    splits = choose(source(train=100, dev=50, test=50), limit=30)
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (30, 30, 30)
    assert "only the first 30 examples of each split" in splits.notes[-1]


def test_refusals() -> None:
    data = source(train=100, dev=10, test=-10)
    with pytest.raises(UsageError, match='the split "train" cannot be used for both training and scoring'):
        choose(data, test_split="train")
    with pytest.raises(UsageError, match=r'no split "tset".*did you mean "test"'):
        choose(data, test_split="tset")
    with pytest.raises(DataError, match=r"toy, split test: 10 of 10 rows have no label.*choose another split"):
        choose(data, test_split="test")
    with pytest.raises(DataError, match="split test: 10 of 10 rows have no label"):
        choose(data, validation_split="test")
    with pytest.raises(DataError, match=r'all 40 rows have "no", but a classifier needs at least two'):
        choose(source(train=40, dev=10, one_label=True))
    with pytest.raises(UsageError, match=r"share is 1.5"):
        choose(data, validation=1.5)


def test_shares_of_train_may_score_and_choose() -> None:
    data = source(train=100, dev=10)
    splits = choose(data, train_split="train", validation=0.2, test=0.2)
    assert names(splits) == ("60% of train (seed 7)", "20% of train (seed 7)", "20% of train (seed 7)")
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (60, 20, 20)
    parts = [{example.text for example in part} for part in (splits.train, splits.validation, splits.test)]
    assert len(set().union(*parts)) == 100
    # what is scored stays, whatever chooses
    assert choose(data, test=0.2).test.examples == splits.test.examples
    assert names(choose(data, test=0.2))[1] == "dev"
    assert len(choose(source(train=100), test=0.2).validation) == 10
    with pytest.raises(UsageError, match="test \\(a share of train\\) and test-split are both given"):
        choose(data, test=0.2, test_split="dev")
    with pytest.raises(UsageError, match=r"shares of 0\.5 and 0\.5 leave nothing to train on"):
        choose(data, test=0.5, validation=0.5)
    with pytest.raises(UsageError, match='"train" cannot be used for both training and validation'):
        choose(data, test=0.2, validation_split="train")


def test_the_part_that_a_run_was_scored_on(tmp_path: Path) -> None:
    data = source(train=100)
    settings = FinetuneSettings("m", "toy", str(tmp_path), test=0.3, seed=5)
    (tmp_path / "config.json").write_text(json.dumps(settings.to_dict()))
    assert scored_part(tmp_path, data).examples == choose_splits(data, settings).test.examples
    with pytest.raises(UsageError, match="was trained on toy, not on other; give --split"):
        scored_part(tmp_path, source(name="other", train=100))
    with pytest.raises(UsageError, match="is not a run directory of finetune"):
        scored_part(tmp_path / "none", data)
    inputs = {"scored examples": split_digest(scored_part(tmp_path, data))}
    (tmp_path / "config.json").write_text(json.dumps({**settings.to_dict(), "inputs": inputs}))
    assert len(scored_part(tmp_path, data)) == 30
    with pytest.raises(UsageError, match="the texts and labels of the scored examples changed; restore the data"):
        scored_part(tmp_path, reversed_rows(data))
    with pytest.raises(UsageError, match="there were 30 scored examples and are 24"):
        scored_part(tmp_path, source(train=80))


def test_part_of_the_training_split_is_drawn_by_seed() -> None:
    data = source(train=40, dev=10, test=10)
    part = choose(data, train_limit=20)
    assert [len(split) for split in (part.train, part.validation, part.test)] == [20, 10, 10]
    drawn = [example.text for example in part.train]
    assert set(drawn) < {f"train {row}" for row in range(40)}
    assert drawn != [f"train {row}" for row in range(20)]
    assert part.notes == ("20 of the 40 examples of train, drawn by seed 7, were trained on (--train-limit)",)
    assert choose(data, train_limit=20).train.examples == part.train.examples
    assert choose(data, train_limit=99).notes == ()
