"""Types for the rows of a data set. Torch is not needed here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TextExample:
    """A text, or a pair of texts, with what is to be told of it."""

    text: str
    """The (first) text."""
    pair: str | None = None
    """The second text of a pair."""
    label: int | float | tuple[int, ...] | None = None
    """Classification: index into the data set's labels. Regression: the number. Multi-label: indices, rising.
    None: not known (test files without labels)."""
    id: str | None = None
    """The row's own name in its file, where it has one."""
    negatives: tuple[str, ...] = ()
    """Texts that do not belong to `text`, where `pair` does: the row is a triplet."""

    @property
    def is_labelled(self) -> bool:
        """Whether what is to be told is known."""
        return self.label is not None


@dataclass(frozen=True)
class Answer:
    """An answer inside a context."""

    text: str
    """The characters of the context that it is."""
    start: int
    """Where they begin, in characters of the context."""


@dataclass(frozen=True)
class SpanExample:
    """A question about a context, with the answers that count as right."""

    question: str
    context: str
    answers: tuple[Answer, ...] | None = None
    """Right answers; none where the context holds no answer (SQuAD 2.0). None: not known."""
    id: str | None = None
    """The question's own name in its file."""
    title: str | None = None
    """The article that the context is from, where the file says."""

    @property
    def is_labelled(self) -> bool:
        """Whether the answers are known."""
        return self.answers is not None


@dataclass(frozen=True)
class TokenExample:
    """A text whose words each have a tag."""

    text: str
    words: tuple[tuple[int, int], ...]
    """Span `[start, end)` of each word in characters of the text, in order, without overlap."""
    tags: tuple[int, ...] | None = None
    """Index into the data set's labels for each word. None: not known."""
    id: str | None = None

    @property
    def is_labelled(self) -> bool:
        """Whether the tags are known."""
        return self.tags is not None


@dataclass(frozen=True)
class ChoiceExample:
    """A context, a question and the options of which one is right."""

    context: str
    question: str
    """May hold "_" where the option goes (RACE's cloze questions); may be empty."""
    options: tuple[str, ...]
    """Two or more; their number may differ from row to row."""
    label: int | None = None
    """Index of the right option. None: not known."""
    id: str | None = None
    group: str | None = None
    """A part of the data set that is scored apart, too (RACE: `middle`, `high`)."""

    @property
    def is_labelled(self) -> bool:
        """Whether the right option is known."""
        return self.label is not None


Example = TextExample | SpanExample | TokenExample | ChoiceExample
"""Any of them."""
