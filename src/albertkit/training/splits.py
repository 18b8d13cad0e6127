"""Which split trains, which chooses the epoch, which scores."""

from __future__ import annotations

from dataclasses import dataclass

from albertkit.datasets import holdout, require_labelled, require_two_labels
from albertkit.datasets.dataset import Dataset, DataSource
from albertkit.errors import UsageError
from albertkit.training.settings import FinetuneSettings

DEFAULT_SHARE = 0.1
SHARES = {"imdb": 0.4}
"""Share of train to hold out where a data set has no dev split; IMDB's 60/40 is the TF Hub tutorial's."""


@dataclass(frozen=True)
class Splits:
    """The three roles; a data set with fewer labelled splits plays two of them with one, and a note says so."""

    train: Dataset
    validation: Dataset
    scored: Dataset
    notes: tuple[str, ...] = ()


def choose_splits(source: DataSource, settings: FinetuneSettings) -> Splits:
    """Give each role its split.

    The scored split is `--test-split`, else a labelled `test`, else `dev`. The validation split is
    `--validation-split`, or a share of train (`--validation`), else `dev` where it is not trained on, else a default
    share of train.

    Raises:
        UsageError: a split that is not there, or one in two roles that exclude each other.
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
    if settings.test_split is not None:
        scored: Dataset | None = split(settings.test_split)
        if scored is not None and scored.split == train.split:
            raise UsageError(f'the split "{train.split}" cannot both train and score; give another --test-split')
    else:
        name = next((name for name in ("test", "dev") if usable(name)), None)
        scored = None if name is None else split(name)

    if settings.validation_split is not None:
        validation: Dataset | None = split(settings.validation_split)
    elif settings.validation is not None:
        train, validation = holdout(train, fraction=settings.validation, seed=settings.seed)
    elif usable("dev"):
        validation = split("dev")
    elif len(train) >= 20:
        share = SHARES.get(source.name, DEFAULT_SHARE)
        train, validation = holdout(train, fraction=share, seed=settings.seed)
        notes.append(f"{share:.0%} of {source.name} {settings.train_split} (seed {settings.seed}) chose the epoch")
    else:
        validation = None

    if validation is None:
        validation = train if scored is None else scored
    if scored is None:
        scored = validation
    if scored is train:
        notes.append(
            "no other labelled split is there: the scores are those of the training examples themselves, "
            "which shows that the network can learn them and nothing else"
        )
    elif scored is validation:
        notes.append(
            f"the split {scored.split} both chose the epoch and scored, so the figure is a little high; "
            "--validation 0.1 chooses on a share of train instead"
        )
    if settings.limit is not None:
        notes.append(f"only the first {settings.limit} examples of each split were used (--limit)")
    for dataset in {id(dataset): dataset for dataset in (train, validation, scored)}.values():
        require_labelled(dataset)
        notes += [f"{dataset.split}: {note}" for note in dataset.notes]
    if len(train) >= 20 or len(source.labels) < 2:  # a handful of examples may well have one label
        require_two_labels(train)
    return Splits(train, validation, scored, tuple(notes))
