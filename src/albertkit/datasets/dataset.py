"""Dataset (one split), DataSource (what a DATA argument resolves to) and the held-out share of a split."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, overload

import numpy as np

from albertkit.data.examples import ChoiceExample, Example, SpanExample, TextExample, TokenExample
from albertkit.datasets.rows import BadRows, RowWarnings
from albertkit.errors import DataError, UsageError, did_you_mean

SPLIT_ALIASES: Mapping[str, str] = {"validation": "dev", "valid": "dev", "val": "dev"}
"""Other words for a split, followed only where the word itself is not the name of a split."""

TASKS = ("classification", "regression", "multilabel")
"""What a text, or a pair of texts, can be asked for; a data set names its task by one of these words."""

STRUCTURED_METRICS: Mapping[str, tuple[str, ...]] = {
    "question_answering": ("exact", "f1"),
    "token_classification": ("f1", "precision", "recall", "accuracy"),
    "multiple_choice": ("accuracy",),
}
"""The tasks whose rows are more than texts (spans, tagged words, choices) -> their metrics, the main one first."""

WHOLE = "all"
"""The other name of the only split of a file."""

ARTICLE, PASSAGE, ROW = "article", "passage", "row"
"""What stays together when a split is divided, the largest first."""

Row = TypeVar("Row")
Kind = TypeVar("Kind", TextExample, SpanExample, TokenExample, ChoiceExample)


@dataclass(frozen=True)
class Dataset:
    """One split of a data set, in a fixed order."""

    name: str
    """The data set, e.g. "glue/qnli", or the path of a table."""
    split: str
    """The split, e.g. "train"."""
    task: str
    """One of `TASKS` or a key of `STRUCTURED_METRICS`; it tells the kind of the examples."""
    labels: tuple[str, ...]
    """Names of the classes or tags by index; empty for regression, question answering and multiple choice."""
    metrics: tuple[str, ...]
    """Names of the metrics, the main one first."""
    examples: Sequence[Example] = field(repr=False)
    """The rows, all of one kind."""
    skipped: tuple[str, ...] = ()
    """One sentence for each skipped row, with its file and line."""
    warnings: tuple[str, ...] = ()
    """One sentence for each thing that was read differently than the file says it, with a count and the places."""

    def __len__(self) -> int:
        return len(self.examples)

    def __iter__(self) -> Iterator[Example]:
        return iter(self.examples)

    @overload
    def __getitem__(self, index: int) -> Example: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Example]: ...
    def __getitem__(self, index: int | slice) -> Example | Sequence[Example]:
        return self.examples[index]

    def of(self, kind: type[Kind]) -> list[Kind]:
        """Return the rows of a data set whose task says that all are of this kind."""
        rows: list[Kind] = [example for example in self.examples if isinstance(example, kind)]
        assert len(rows) == len(self.examples), f"{self.name}: {self.task} with rows that are no {kind.__name__}"
        return rows

    @property
    def is_pair(self) -> bool:
        """Whether an example holds two texts."""
        return bool(self.examples) and getattr(self.examples[0], "pair", None) is not None

    def batches(self, n: int) -> Iterator[Sequence[Example]]:
        """Yield the examples in order, in lists of `n`; the last may be shorter.

        >>> from albertkit.data.examples import TextExample
        >>> rows = [TextExample("a"), TextExample("b"), TextExample("c")]
        >>> data = Dataset("toy", "train", "classification", ("no", "yes"), ("accuracy",), rows)
        >>> [len(batch) for batch in data.batches(2)]
        [2, 1]

        Args:
            n: examples in a list.

        Raises:
            UsageError: `n` is below 1.
        """
        if n < 1:
            raise UsageError(f"the batch size is {n}; it must be 1 or more")
        return (self.examples[start : start + n] for start in range(0, len(self.examples), n))

    def take(self, limit: int | None) -> Dataset:
        """Return the first `limit` examples, or all of them for None.

        Raises:
            UsageError: `limit` is below 1.
        """
        if limit is None:
            return self
        if limit < 1:
            raise UsageError(f"the limit is {limit}; it must be 1 or more examples")
        return replace(self, examples=self.examples[:limit])


@dataclass(frozen=True)
class DataSource:
    """A data set whose splits are read when asked for."""

    name: str
    """The data set, e.g. "glue/qnli", or the path of a table."""
    task: str
    """One of `TASKS` or a key of `STRUCTURED_METRICS`; it tells the kind of the examples."""
    labels: tuple[str, ...]
    """Names of the classes or tags by index; empty for regression, question answering and multiple choice."""
    metrics: tuple[str, ...]
    """Names of the metrics, the main one first."""
    splits: tuple[str, ...]
    """Names of the splits that are there."""
    load: Callable[[str], Dataset] = field(repr=False)
    """Reads one of `splits`; call `split` instead, which checks the name."""
    aliases: Mapping[str, str] = field(default_factory=dict, repr=False)
    """This data set's own other words for its splits (MNLI: dev_matched for dev)."""
    hint: str = field(default="", repr=False)
    """What to say about a split that is not there: which file would have been it."""

    def split(self, name: str) -> Dataset:
        """Read one split; "validation", "valid" and "val" mean "dev".

        Raises:
            UsageError: there is no such split; the message names the splits that exist.
            DataError: its file cannot be read, or a row cannot be used and rows are not to be skipped.
        """
        meant = name if name in self.splits else self.aliases.get(name) or SPLIT_ALIASES.get(name, name)
        if meant not in self.splits:
            there = ", ".join(self.splits) or "none"
            nearest = did_you_mean(name, self.splits)
            raise UsageError(f'{self.name} has no split "{name}"{self.hint}; available splits: {there}{nearest}')
        return self.load(meant)


def with_rows(
    examples: Iterable[Example], *, empty: Dataset, bad: BadRows, warnings: RowWarnings | None = None
) -> Dataset:
    """Return a split with its rows.

    Args:
        examples: the rows.
        empty: what the split is called, without rows.
        bad: rows that cannot be used, complete after the last example.
        warnings: sentences on what was read differently from the file.

    Raises:
        DataError: a row cannot be used and is not to be skipped, or there is none.
    """
    rows = list(examples)
    skipped = bad.close()
    if not rows:
        why = f"no usable row ({len(skipped)} bad rows)" if skipped else "no usable row"
        raise DataError(f"{bad.where}: {why}; the file needs rows")
    found = empty.warnings if warnings is None else warnings.close()
    return replace(empty, examples=rows, skipped=skipped, warnings=found)


def hash_order(rows: Iterable[Row], *, key: Callable[[Row], str]) -> list[Row]:
    """Mix rows by the SHA-256 of their keys: the same everywhere and for ever, and without regard to label or file.

    >>> hash_order(["ape", "bee", "cat", "dog"], key=str)
    ['bee', 'cat', 'dog', 'ape']

    Args:
        rows: anything.
        key: returns the text that identifies a row; rows with equal keys stay next to each other.
    """
    return sorted(rows, key=lambda row: hashlib.sha256(key(row).encode()).digest())


def holdout(dataset: Dataset, *, fraction: float, seed: int) -> tuple[Dataset, Dataset]:
    """Part a share of a split from it, by seed; both parts keep the order of the split.

    Questions about one article, or about one passage where the data name no articles, stay together; see `divide`.

    Args:
        dataset: what to divide, usually the training split.
        fraction: the share of the second part, in (0, 1); 0.4 parts 60/40.
        seed: another seed draws other rows; the same seed the same rows on every machine (0 to 2**32 - 1).

    Returns:
        (train, validation); their `split` says the share, e.g. "40% of train (seed 7)".

    Raises:
        UsageError: the fraction or the seed cannot be, or one of the parts would be empty.
    """
    rest, part = divide(dataset, fractions=(fraction,), seed=seed)
    return rest, part


def divide(dataset: Dataset, *, fractions: Sequence[float], seed: int) -> list[Dataset]:
    """Part several shares of a split from it, by seed; every part keeps the order of the split.

    Rows of one group (`group_of`) are never on two sides: a network that has read an article's other questions would
    know it. Where there are too few groups to divide, the next smaller ones are taken: articles, passages, single rows.
    The names of the parts say which: "20% of dev by article (seed 7)".

    Args:
        dataset: what to divide.
        fractions: the shares, each in (0, 1), together below 1. The first is drawn first, so it stays the same whatever
            the others are.
        seed: another seed draws other rows; the same seed the same rows on every machine (0 to 2**32 - 1).

    Returns:
        What is left, and a part for each share. `skipped` and `warnings`, which are of the file, stay with the first.

    Raises:
        UsageError: a share or the seed cannot be, or one of the parts would be empty.
    """
    for fraction in fractions:
        if not 0 < fraction < 1:
            raise UsageError(f"the share is {fraction:g}; it must be between 0 and 1, such as 0.1")
    if sum(fractions) >= 1:
        shares = " and ".join(f"{fraction:g}" for fraction in fractions)
        raise UsageError(f"shares of {shares} leave nothing to train on: together they must be below 1")
    if not 0 <= seed < 2**32:
        raise UsageError(f"the seed is {seed}; it must be a whole number from 0 to {2**32 - 1}")
    for level in (ARTICLE, PASSAGE, ROW):
        groups = [group_of(example, level) for example in dataset.examples]
        if level != ROW and any(group is None for group in groups):
            continue
        drawn = _drawn(range(len(dataset)) if level == ROW else groups, fractions, seed)
        if drawn is not None:
            break
    else:
        shares = " and ".join(f"{fraction:g}" for fraction in fractions)
        raise UsageError(
            f"a share of {shares} of {len(dataset)} examples ({dataset.name}, {dataset.split}) "
            "leaves one part empty: give another share"
        )
    of = f"of {dataset.split}{'' if level == ROW else f' by {level}'} (seed {seed})"
    parts = []
    for number, share in enumerate((1 - sum(fractions), *fractions)):
        examples = [example for example, part in zip(dataset.examples, drawn, strict=True) if part == number]
        parts.append(replace(dataset, split=f"{100 * share:.4g}% {of}", examples=examples))
    return [parts[0], *(replace(part, skipped=(), warnings=()) for part in parts[1:])]


def group_of(example: Example, level: str) -> str | None:
    """Return what an example shares with others of its group; None where it belongs to none of this level.

    >>> from albertkit.data.examples import SpanExample
    >>> row = SpanExample("Who?", "Rollo led them.", title="Normans")
    >>> group_of(row, ARTICLE), group_of(row, PASSAGE)
    ('Normans', 'Rollo led them.')

    Args:
        example: any.
        level: `ARTICLE` (SQuAD's title) or `PASSAGE` (the context of a question); others have none.
    """
    key = {ARTICLE: "title", PASSAGE: "context"}.get(level, "")
    return getattr(example, key, None) or None


def _drawn(groups: Sequence[Any], fractions: Sequence[float], seed: int) -> list[int] | None:
    """For each row the number of its part, 0 being the rest; None where a part would be empty."""
    sizes = Counter(groups)
    names = list(sizes)
    # RandomState, since NumPy froze its numbers; those of default_rng may change with a release.
    order = np.random.RandomState(seed).permutation(len(names)).tolist()
    part_of: dict[Any, int] = {}
    for number, fraction in enumerate(fractions, start=1):
        wanted, taken = round(len(groups) * fraction), 0
        # A group goes in as long as that brings the part nearer to its share; rows on their own fill it exactly.
        for place in order:
            group = names[place]
            if group not in part_of and 2 * (wanted - taken) > sizes[group]:
                part_of[group] = number
                taken += sizes[group]
        if not taken:
            return None
    return [part_of.get(group, 0) for group in groups] if len(part_of) < len(names) else None


def require_labelled(dataset: Dataset) -> None:
    """Refuse a split with a row whose label (answers, tags, choice) is not known, as in GLUE's test files.

    Raises:
        DataError: says how many rows have no label.
    """
    without = sum(not example.is_labelled for example in dataset.examples)
    if without:
        raise DataError(
            f"{dataset.name}, split {dataset.split}: {without} of {len(dataset)} rows have no label, "
            "so there is nothing to train on or score; choose another split"
        )


def require_two_labels(dataset: Dataset) -> None:
    """Refuse a split of classification, or of tags, in which every row, or every word, has the same label.

    Raises:
        DataError: names the one label.
    """
    if dataset.task == "token_classification":
        tags = {tag for example in dataset.of(TokenExample) for tag in example.tags or ()}
        if len(tags) < 2:
            only = ", ".join(f'"{dataset.labels[tag]}"' for tag in tags) or "no tag"
            raise DataError(
                f"{dataset.name}, split {dataset.split}: every word has the tag {only}, so there is nothing to "
                "learn; check the column of tags, or use more rows"
            )
        return
    if dataset.task != "classification":
        return
    seen = {example.label for example in dataset.of(TextExample)}
    if len(seen) < 2:
        only = ", ".join(f'"{dataset.labels[label]}"' for label in seen if isinstance(label, int)) or "no label at all"
        raise DataError(
            f"{dataset.name}, split {dataset.split}: all {len(dataset)} rows have {only}, but a classifier needs at "
            "least two labels; check the label column, or use more rows"
        )
