"""Choose the split that trains, the split that selects the epoch, and the split that scores."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from albertkit.datasets import require_labelled, require_two_labels
from albertkit.datasets.dataset import Dataset, DataSource, divide
from albertkit.errors import UsageError
from albertkit.training.run_data import is_trained_on, recorded_inputs, run_settings
from albertkit.training.settings import FinetuneSettings

DEFAULT_SHARE = 0.1
SHARES = {"imdb": 0.4}
"""Share of train to hold out where a data set has no dev split; IMDB's 60/40 is the TF Hub tutorial's."""


@dataclass(frozen=True)
class Splits:
    """What trains, what chooses the epoch and what gives the score; the same split may do two of these."""

    train: Dataset
    validation: Dataset
    """Without rows where nothing chooses: then the last epoch is kept."""
    test: Dataset
    """Without rows where nothing is scored."""
    notes: tuple[str, ...] = ()
    """What a user has to know of the splits, such as one that does two things."""
    unlabelled: Dataset | None = None
    """Further texts to train on, which only a teacher has an answer for."""

    @classmethod
    def in_memory(cls, train: Dataset, held_out: Sequence[Any] = ()) -> Splits:
        """Train on rows in memory and score none.

        Args:
            train: what trains.
            held_out: the examples that select the epoch; without any the last epoch is kept.
        """
        empty = replace(train, split="test", examples=[])
        return cls(train, replace(train, split="validation", examples=list(held_out)), empty)

    def noting(self, *notes: str) -> Splits:
        """Return the same splits with further notes."""
        return replace(self, notes=(*self.notes, *notes))


def choose_splits(source: DataSource, settings: FinetuneSettings) -> Splits:
    """Choose what trains, what chooses the epoch, and what gives the score.

    The test split is `--test-split`, or a share of train (`--test`), else a labelled `test`, else `dev`. The
    validation split is `--validation-split`, or a share of train (`--validation`), else `dev` where it is not trained
    on, else a default share of train. Shares are of the whole training split; questions of one article or passage stay
    on one side (`divide`).

    Raises:
        UsageError: a split that is not there, or one that cannot do two things.
        DataError: training data of one class only, or a split with rows that have no label.
    """
    notes: list[str] = []
    loaded: dict[str, Dataset] = {}

    def split(name: str) -> Dataset:
        if name not in loaded:
            dataset = source.split(name)
            loaded[name] = dataset if settings.limit is None else dataset.take(settings.limit)
        return loaded[name]

    def usable(name: str) -> bool:
        if name not in source.splits or split(name).split == train.split:
            return False
        return all(example.is_labelled for example in split(name))

    train = split(settings.train_split)
    test: Dataset | None = None
    if settings.test_split is not None:
        test = split(settings.test_split)
        if test.split == train.split:
            raise UsageError(
                f'the split "{train.split}" cannot be used for both training and scoring; '
                "give another --test-split, or --test 0.2 to hold out a share of it"
            )
    elif settings.test is None:
        name = next((name for name in ("test", "dev") if usable(name)), None)
        test = None if name is None else split(name)

    validation: Dataset | None = None
    share, by_default = settings.validation, False
    if settings.validation_split is not None:
        validation = split(settings.validation_split)
        if validation.split == train.split:
            raise UsageError(
                f'the split "{train.split}" cannot be used for both training and validation; '
                "give another --validation-split, or --validation 0.1 to hold out a share of it"
            )
    elif settings.few_shot:
        pass  # cross-validation on the training rows chooses
    elif share is None and usable("dev"):
        validation = split("dev")
    elif share is None and len(train) >= 20:
        share = SHARES.get(source.name, DEFAULT_SHARE)
        by_default = True
    whole = train
    if settings.test is not None and share is not None:
        train, test, validation = divide(whole, fractions=(settings.test, share), seed=settings.seed)
    elif settings.test is not None:
        train, test = divide(whole, fractions=(settings.test,), seed=settings.seed)
    elif share is not None:
        train, validation = divide(whole, fractions=(share,), seed=settings.seed)
    if by_default and share is not None and validation is not None:
        notes.append(f"Held out {len(validation):,} rows ({100 * share:.0f} %) to pick the best epoch.")

    if validation is None:
        validation = train if test is None or settings.few_shot else test
    if test is None:
        test = validation
    cross_validated = settings.few_shot and test is train
    if cross_validated:
        notes.append(
            "no other labelled split: the scores are cross-validated on the training rows; --test 0.2 holds out a "
            "share of them instead"
        )
    elif test is train:
        notes.append(
            "no other labelled split: the scores are on the training examples, so they only show that the network "
            "can fit them"
        )
    elif test is validation:
        asked = settings.validation is not None or settings.validation_split is not None
        hint = "use --test 0.2" if asked else "use --validation 0.1"
        notes.append(
            f"the split {test.split} both selected the epoch and gave the score, so the score is slightly "
            f"optimistic; {hint} for separate rows"
        )
    if settings.train_limit is not None and settings.train_limit < len(train):
        notes.append(
            f"{settings.train_limit} of the {len(train)} examples of {train.split}, drawn by seed {settings.seed}, "
            "were trained on (--train-limit)"
        )
        drawn = np.sort(np.random.RandomState(settings.seed).permutation(len(train))[: settings.train_limit])
        train = replace(train, examples=[train.examples[index] for index in drawn])
    if settings.few_shot:
        validation, test = train, train if cross_validated else test
    if settings.limit is not None:
        notes.append(f"only the first {settings.limit} examples of each split were used (--limit)")
    for dataset in {id(dataset): dataset for dataset in (train, validation, test)}.values():
        require_labelled(dataset)
        notes += [f"{dataset.split}: {note}" for note in dataset.warnings]
    if len(train) >= 20 or len(source.labels) < 2:  # a handful of examples may well have one label
        require_two_labels(train)
    return Splits(train, validation, test, tuple(notes))


def scored_part(run: str | os.PathLike[str], source: DataSource) -> Dataset:
    """Return the part of a data set that a run was scored on, also where it is a share drawn by seed.

    Args:
        run: the run directory.
        source: the same data that the run was trained on.

    Raises:
        UsageError: it is no run directory, or was trained on other data.
        DataError: see `choose_splits`.
    """
    try:
        settings = run_settings(run)
    except UsageError as error:
        raise UsageError(f"{error}; give --split") from error
    if not is_trained_on(settings, source):
        raise UsageError(f"{run} was trained on {settings.data}, not on {source.name}; give --split")
    splits = choose_splits(source, settings)
    if settings.few_shot and splits.test is splits.train:
        raise UsageError(
            f"{run} held out no rows: its score is cross-validated on the training rows; give --split and other data"
        )
    from albertkit.training.digest import input_changes, split_digest  # here, since exported models run without torch

    now = {"scored examples": split_digest(splits.test)}
    if changes := input_changes(recorded_inputs(run), now):
        raise UsageError(
            f"{source.name} is not what {run} was trained on: {'; '.join(changes)}; restore the data, since rows that "
            "were trained on may be among those that are scored, or give --split and other data"
        )
    return splits.test
