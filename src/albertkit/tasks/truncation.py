"""Count the texts that are longer than the model's input, and the tokens that are cut."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np

from albertkit.tasks.encoded import Encoded


class _Says(Protocol):
    def truncation_note(self, counts: Truncation) -> str: ...


@dataclass
class Truncation:
    """Counts of one or several calls; their sum is `+`."""

    examples: int = 0
    """Texts (pairs, questions) that were read."""
    truncated: int = 0
    """Those whose end was not read."""
    unread: int = 0
    """Tokens that were not read, of all of them."""
    longest: int = 0
    """Tokens of the longest input, whole."""
    max_length: int = 0
    """Tokens that an input may have."""

    @classmethod
    def of(cls, encoded: Encoded, *, max_length: int) -> Truncation:
        """Count the examples of a split.

        >>> from albertkit.batching.batch import Sequence
        >>> rows = [Sequence(np.arange(4), np.zeros(4, int), truncated=cut) for cut in (0, 3, 5)]
        >>> Truncation.of(Encoded.one_each(rows), max_length=4).note()
        '2 of 3 texts exceed 4 tokens (longest 9) and were truncated'
        """
        cut = np.array([sequence.truncated for sequence in encoded.sequences], np.int64)
        if not len(cut):
            return cls(max_length=max_length)
        whole = cut + [len(sequence) for sequence in encoded.sequences]
        example_ids = np.repeat(encoded.example_ids, encoded.counts)
        return cls(
            examples=len(np.unique(example_ids)),
            truncated=len(np.unique(example_ids[cut > 0])),
            unread=int(cut.sum()),
            longest=int(whole.max()),
            max_length=max_length,
        )

    def __add__(self, other: Truncation) -> Truncation:
        longest = {name: max(getattr(self, name), getattr(other, name)) for name in ("longest", "max_length")}
        return Truncation(self.examples + other.examples, self.truncated + other.truncated,
                          self.unread + other.unread, **longest)  # fmt: skip

    def to_dict(self) -> dict[str, int]:
        """Return the counts by name."""
        return {entry.name: getattr(self, entry.name) for entry in fields(self)}

    @classmethod
    def from_dict(cls, values: Any) -> Truncation:
        """Build from what `to_dict` gave; what is missing is 0."""
        return cls(**{entry.name: int(values.get(entry.name, 0)) for entry in fields(cls)})

    @property
    def sentence(self) -> str:
        """What is said of texts that were cut."""
        return (
            f"{self.truncated:,} of {self.examples:,} texts exceed {self.max_length:,} tokens "
            f"(longest {self.longest:,}) and were truncated"
        )

    def note(self, task: _Says | None = None) -> str | None:
        """Return the sentence about truncated texts; None where every text was read whole.

        Args:
            task: what read them, which may say it in its own way.
        """
        if not self.truncated:
            return None
        return self.sentence if task is None else task.truncation_note(self)
