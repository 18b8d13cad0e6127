"""Explanation: how much each word moved a model's output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from albertkit.explaining.reading import Reading


@dataclass(frozen=True)
class WordScore:
    """A word and what it did."""

    text: str
    """Its characters in the text."""
    start: int
    """Its first character, counted in characters of its own text."""
    end: int
    """The character after its last."""
    field: str
    """`text`, or `pair` for a word of the second text."""
    score: float
    """How much the output is higher with the word than without it: a difference of probabilities, in [-1, 1], or of a
    regression's values. Above 0 speaks for the label, below 0 against it."""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-ready values."""
        return {"text": self.text, "start": self.start, "end": self.end, "field": self.field, "score": self.score}


@dataclass(frozen=True)
class Explanation:
    """Why a model says of a text what it says."""

    text: str
    """The (first) text."""
    pair: str | None
    """The second text of a pair."""
    label: str | None
    """The label that is explained; None for a regression, whose value is."""
    method: str
    """`occlusion` or `gradients`."""
    base: float
    """The label's probability for the whole text, in [0, 1], or the regression's value."""
    words: Sequence[WordScore]
    """The words that the model read, in order, those of the pair last."""
    unread: int = 0
    """How many words it did not read, since the input is cut to its longest length."""

    @classmethod
    def of(
        cls, reading: Reading, scores: Sequence[float], *, label: str | None, method: str, base: float
    ) -> Explanation:
        """Return the explanation of a text whose words, in order, have these scores."""
        text, pair = reading.example.text, reading.example.pair
        fields = {"text": text, "pair": pair or ""}
        words = [
            WordScore(fields[word.field][word.start : word.end], word.start, word.end, word.field, score)
            for word, score in zip(reading.words, scores, strict=True)
        ]
        return cls(text, pair, label, method, base, words, reading.unread)

    def to_dict(self) -> dict[str, Any]:
        """Return what is under "explanation" in the output of `albertkit predict`."""
        return {
            "label": self.label,
            "method": self.method,
            "base": self.base,
            "words": [word.to_dict() for word in self.words],
            "unread": self.unread,
        }

    def strongest(self, count: int = 5) -> tuple[list[WordScore], list[WordScore]]:
        """Return the words that speak for the label and those against it, the strongest first.

        >>> word = WordScore("good", 0, 4, "text", 0.5)
        >>> Explanation("good", None, "yes", "occlusion", 0.9, [word]).strongest()[1]
        []

        Args:
            count: of each at most.
        """
        ordered = sorted(self.words, key=lambda word: -abs(word.score))
        speaking_for = [word for word in ordered if word.score > 0]
        return speaking_for[:count], [word for word in ordered if word.score < 0][:count]

    @property
    def largest(self) -> float:
        """The largest score without its sign: what colours are measured by; 0 where no word did anything."""
        return max((abs(word.score) for word in self.words), default=0.0)
