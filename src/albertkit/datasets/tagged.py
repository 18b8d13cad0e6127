"""Texts whose words carry tags, from whatever file, and the split that they make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from albertkit.data.entities import marks_entities, tag_scheme
from albertkit.data.examples import TokenExample
from albertkit.datasets.dataset import STRUCTURED_METRICS, Dataset, with_rows
from albertkit.datasets.labels import label_index
from albertkit.datasets.rows import BadRows, RowWarnings
from albertkit.datasets.tags import (
    collect_tags,
    known_tag,
    require_distinct,
    require_one_scheme,
    spellings,
    to_iob2,
)
from albertkit.errors import DataError

TASK = "token_classification"
METRICS = STRUCTURED_METRICS[TASK]
PLAIN_METRICS = ("accuracy",)
"""Metrics of tags that mark no entities."""
_IOB1 = "tag(s) I- that begin a chunk, as IOB1 has them, changed to B-"
_SPELT = "tag(s) in another spelling of the scheme"


@dataclass(frozen=True)
class TaggedText:
    """A text with its tags as they are in the file."""

    place: str
    """Where in the file, e.g. "line 3"."""
    text: str
    words: tuple[tuple[int, int], ...]
    """Span `[start, end)` of each word in characters of the text."""
    tags: tuple[str, ...] | None = None
    """A tag for each word. None: not known."""
    id: str | None = None


@dataclass(frozen=True)
class TaggedFile:
    """What one file holds."""

    rows: list[TaggedText]
    bad: BadRows
    """Rows that cannot be used, noted so far."""
    warnings: RowWarnings
    """What was mended so far."""

    @property
    def tags(self) -> set[str]:
        """Every tag of the file."""
        return {tag for row in self.rows for tag in row.tags or ()}


def metrics_of(labels: Sequence[str]) -> tuple[str, ...]:
    """Return the metrics of words with these tags, the main one first.

    >>> metrics_of(("O", "B-PER", "I-PER")), metrics_of(("NOUN", "VERB"))
    (('f1', 'precision', 'recall', 'accuracy'), ('accuracy',))
    """
    return METRICS if marks_entities(labels) else PLAIN_METRICS


def collect_labels(file: TaggedFile) -> tuple[str, ...]:
    """Return the labels that a file defines, in a fixed order; see `albertkit.datasets.tags.collect_tags`.

    Args:
        file: the training split.

    Raises:
        DataError: the file holds no tag, two tags that differ only in case, or tags of several schemes.
    """
    where = file.warnings.where
    if not file.tags:
        file.bad.close()  # what is wrong with its rows says more
        raise DataError(f"{where}: no tag in the file, so there are no labels; it needs words with tags")
    labels = set(spellings(file.tags).values())
    require_distinct(sorted(labels), where=where)
    require_one_scheme(labels, where=where)
    return collect_tags(labels)


def tagged_dataset(file: TaggedFile, *, empty: Dataset) -> Dataset:
    """Return the split that a file makes.

    Args:
        file: the file, with rows and what is odd about them.
        empty: what the split is called and its labels, without rows.

    Raises:
        DataError: two tags differ only in case, a row is invalid and may not be skipped, or there is no row.
    """
    meant = {tag: known_tag(tag, labels=empty.labels) for tag in file.tags}
    # A tag that is unknown because of its capitals is no single bad row.
    require_distinct([*empty.labels, *sorted(meant.values())], where=file.warnings.where)
    is_iob = tag_scheme(empty.labels) == "IOB"
    examples = []
    for row in file.rows:
        names = None if row.tags is None else tuple(meant[tag] for tag in row.tags)
        for before, after in zip(row.tags or (), names or (), strict=True):
            if before != after:
                file.warnings.add(_SPELT, f"{row.place}: {before} is read as {after}")
        if names is not None and is_iob:
            # A model that learned IOB1 may have no B- of a type: there the tag stays, and I- begins the entity.
            made = [new if new in empty.labels else old for old, new in zip(names, to_iob2(names)[0], strict=True)]
            for _ in range(sum(old != new for old, new in zip(names, made, strict=True))):
                file.warnings.add(_IOB1, row.place)
            names = tuple(made)
        try:
            tags = None if names is None else tuple(label_index(name, labels=empty.labels) for name in names)
        except ValueError as error:
            file.bad.add(row.place, str(error))
            continue
        examples.append(TokenExample(row.text, row.words, tags, row.id))
    return with_rows(examples, empty=empty, bad=file.bad, warnings=file.warnings)
