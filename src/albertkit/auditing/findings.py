"""What an audit finds. Rows are numbered from 0 within their split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Place:
    """A row of the data."""

    split: str
    row: int
    text: str
    pair: str | None = None
    label: str | None = None
    """Name of the label; None where it is not known."""


@dataclass(frozen=True)
class LabelError:
    """A label that is probably wrong."""

    place: Place
    suggested: str
    """The label that the other rows suggest."""
    probability: float
    """Of the given label, between 0 and 1, from models that were trained without this row."""


@dataclass(frozen=True)
class Duplicates:
    """Rows of a split with equal or nearly equal texts."""

    places: tuple[Place, ...]
    labels_differ: bool


@dataclass(frozen=True)
class Leak:
    """A text that two splits share: a score on the second is too good then."""

    place: Place
    other: Place
    same_text: bool
    """Whether the texts are equal but for case, spaces and punctuation."""


@dataclass(frozen=True)
class Outlier:
    """A text that is unlike all others."""

    place: Place
    similarity: float
    """Mean cosine to its nearest texts of the same split."""


@dataclass(frozen=True)
class Cut:
    """A text that is longer than the model reads."""

    place: Place
    unread: int
    """Tokens beyond the longest input."""


@dataclass(frozen=True)
class Audit:
    """All findings of a data set."""

    data: str
    task: str
    model: str
    rows: Mapping[str, int]
    """Split -> rows."""
    balance: Mapping[str, Mapping[str, int]]
    """Split -> label -> rows."""
    label_errors: tuple[LabelError, ...]
    """The likeliest first."""
    duplicates: tuple[Duplicates, ...]
    leaks: tuple[Leak, ...]
    outliers: tuple[Outlier, ...]
    """The most unlike first."""
    empty: tuple[Place, ...]
    """Texts without a letter or a digit."""
    cut: tuple[Cut, ...]
    notes: tuple[str, ...]
    """What was not looked for, and why."""
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return the audit as JSON has it."""
        return {
            "data": self.data,
            "task": self.task,
            "model": self.model,
            "rows": dict(self.rows),
            "balance": {split: dict(counts) for split, counts in self.balance.items()},
            "label_errors": [
                {**asdict(one.place), "suggested": one.suggested, "probability": one.probability}
                for one in self.label_errors
            ],
            "duplicates": [
                {"rows": [asdict(place) for place in one.places], "labels_differ": one.labels_differ}
                for one in self.duplicates
            ],
            "leaks": [
                {**asdict(one.place), "other": asdict(one.other), "same_text": one.same_text} for one in self.leaks
            ],
            "outliers": [{**asdict(one.place), "similarity": one.similarity} for one in self.outliers],
            "empty": [asdict(one) for one in self.empty],
            "cut": [{**asdict(one.place), "unread_tokens": one.unread} for one in self.cut],
            "notes": list(self.notes),
            "seconds": round(self.seconds, 2),
        }
