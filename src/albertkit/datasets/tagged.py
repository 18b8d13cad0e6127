"""Texts whose words carry tags, from whatever file, and the split that they make."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from albertkit.data.examples import TokenExample
from albertkit.datasets.dataset import STRUCTURED_METRICS, Dataset
from albertkit.datasets.labels import label_index
from albertkit.datasets.remarks import Remarks
from albertkit.datasets.rows import BadRows
from albertkit.datasets.tags import collect_tags, require_distinct, tag_scheme, to_iob2
from albertkit.errors import DataError

TASK = "token_classification"
METRICS = STRUCTURED_METRICS[TASK]
_IOB1 = "tag(s) I- that begin a chunk, as IOB1 has them, changed to B-"


@dataclass(frozen=True)
class TaggedText:
    """A text with its tags as they stand in the file."""

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
    remarks: Remarks
    """What was mended so far."""
    kinds: set[str] = field(default_factory=set)
    """Types of spans, where the file holds spans instead of tags."""

    @property
    def tags(self) -> set[str]:
        """Every tag of the file."""
        return {tag for row in self.rows for tag in row.tags or ()}


def join_words(words: Sequence[str]) -> tuple[str, tuple[tuple[int, int], ...]]:
    """Return the text that the words make with a blank between them, and the span of each.

    >>> join_words(["New", "York"])
    ('New York', ((0, 3), (4, 8)))
    """
    spans, at = [], 0
    for word in words:
        spans.append((at, at + len(word)))
        at += len(word) + 1
    return " ".join(words), tuple(spans)


def collect_labels(file: TaggedFile, *, extra: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the labels that a file defines, in a fixed order; a scheme of chunks always has O.

    Args:
        file: the training split.
        extra: labels that belong to the set although no word has them.

    Raises:
        DataError: it holds no tag, or two that differ in capitals alone.
    """
    require_distinct(sorted(file.tags), where=file.remarks.where)
    tags = [row.tags for row in file.rows if row.tags]
    if not tags:
        raise DataError(f"{file.remarks.where}: no tag in the file, so there are no labels; it needs words with tags")
    scheme = tag_scheme(file.tags)
    if scheme == "IOB":
        tags = [tuple(to_iob2(row)[0]) for row in tags]
    outside = [] if scheme == "plain" else ["O"]
    return collect_tags([*(tag for row in tags for tag in row), *outside, *extra])


def tagged_dataset(file: TaggedFile, *, empty: Dataset) -> Dataset:
    """Return the split that a file makes.

    Args:
        file: the file, with rows and what is odd about them.
        empty: what the split is called and its labels, without rows.

    Raises:
        DataError: two tags differ in capitals alone, a row cannot be used and is not to be skipped, or there is none.
    """
    # A tag that is unknown because of its capitals is no single bad row.
    require_distinct([*empty.labels, *sorted(file.tags)], where=file.remarks.where)
    is_iob = tag_scheme(empty.labels) == "IOB"
    examples = []
    for row in file.rows:
        names = row.tags
        if names is not None and is_iob:
            made, changed = to_iob2(names)
            names = tuple(made)
            for _ in range(changed):
                file.remarks.add(_IOB1, row.place)
        try:
            tags = None if names is None else tuple(label_index(name, labels=empty.labels) for name in names)
        except ValueError as error:
            file.bad.add(row.place, str(error))
            continue
        examples.append(TokenExample(row.text, row.words, tags, row.id))
    skipped = file.bad.close()
    if not examples:
        raise DataError(f"{file.bad.where}: no row that can be used ({len(skipped)} bad rows); the file needs words")
    return replace(empty, examples=examples, skipped=skipped, notes=file.remarks.close())
