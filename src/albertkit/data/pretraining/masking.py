"""Mask n-grams of whole words, drawn again in every epoch (paper, section 4.1).

Google's code fills a quota of tokens and skips n-grams that no longer fit, which prefers short ones, and its cap of 20
masks 4 % of a sequence of 512. Here the number of n-grams is drawn and their lengths are free, so that the
masked share, the lengths and the places are each what was asked for, at any length of a sequence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from albertkit.errors import UsageError

IntArray = npt.NDArray[np.int64]

# Pieces that start a word for `create_pretraining_data.py` although no space precedes them.
_PUNCTUATION = frozenset('!"#$%&"()*+,-./:;?@[\\]^_`{|}~\u20ac\u00a3')
_INSIDE_WORDS = frozenset("abcdefghijklmnopqrstuvwxyz") | _PUNCTUATION


def word_start_table(pieces: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Return for each piece whether a word starts with it (`create_pretraining_data.py`, `_is_start_piece_sp`).

    >>> word_start_table(["\\u2581the", "re", ",", "\\u4e2d"]).tolist()
    [True, False, True, True]

    Args:
        pieces: pieces of the vocabulary, by id.
    """
    return np.array(
        [
            piece.startswith(("\u2581", "<"))
            or piece in _PUNCTUATION
            or not all(letter.lower() in _INSIDE_WORDS for letter in piece)
            for piece in pieces
        ],
        dtype=np.bool_,
    )


@dataclass(frozen=True)
class MaskingRule:
    """What is masked, and with what."""

    word_starts: npt.NDArray[np.bool_]
    """For each piece, whether a word starts with it, `[vocabulary]`."""
    mask_id: int
    """Id of [MASK]."""
    replacements: IntArray
    """Ids that a random replacement is drawn from: every piece but the special ones."""
    share: float = 0.15
    """Share of a sequence's tokens, special ones included, that are predicted (Google counts them so, too)."""
    max_ngram: int = 3
    """Words of the longest n-gram; n words have a probability in proportion to 1/n."""
    kept_share: float = 0.1
    """Share of the predicted tokens that stay as they are."""
    random_share: float = 0.1
    """Share of the predicted tokens that become a random piece; the rest becomes [MASK]."""

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise UsageError(f"the masked share is {self.share}; it must be between 0 and 1, such as 0.15")
        if self.max_ngram < 1:
            raise UsageError(f"max_ngram is {self.max_ngram} words; it must be 1 or more")
        if self.share * _mean_length(self.max_ngram) > 0.8:
            raise UsageError(
                f"the masked share is {self.share}, which leaves too little context; it must be at most 0.4"
            )

    @property
    def probabilities(self) -> npt.NDArray[np.float64]:
        """Probability of 1, 2, .. `max_ngram` words."""
        weights = 1 / np.arange(1, self.max_ngram + 1)
        return np.asarray(weights / weights.sum(), dtype=np.float64)


def _mean_length(max_ngram: int) -> float:
    weights = 1 / np.arange(1, max_ngram + 1)
    return float(max_ngram / weights.sum())


class Masked(NamedTuple):
    """Tokens as the network sees them, and what it has to say."""

    input_ids: IntArray
    """`[tokens]`."""
    positions: IntArray
    """Where something is predicted, ascending, `[masked]`."""
    targets: IntArray
    """What stood there, `[masked]`."""
    ngrams: IntArray
    """Words of each n-gram, in the order of the text, `[n-grams]`."""


def mask_segments(
    input_ids: npt.NDArray[Any],
    *,
    starts: IntArray,
    lengths: IntArray,
    shares: npt.NDArray[np.float64],
    rule: MaskingRule,
    random: np.random.Generator,
) -> Masked:
    """Choose n-grams of whole words in each segment and put [MASK], a random piece or the same piece in their place.

    Args:
        input_ids: a packed batch, `[tokens]`.
        starts: first token of each segment, `[segments]`, ascending; what lies outside segments (special
            tokens) is never masked, and no n-gram leaves its segment.
        lengths: tokens of each segment, `[segments]`.
        shares: share of each segment's tokens that is predicted, on average, `[segments]`.
        rule: what is masked, and with what.
        random: random number generator for every choice.
    """
    ids = np.array(input_ids, dtype=np.int64)
    segment_of_token = np.repeat(np.arange(len(lengths)), lengths)
    offsets = np.cumsum(lengths) - lengths
    token_rows = np.arange(int(lengths.sum())) - np.repeat(offsets - starts, lengths)  # rows in the batch
    begins = rule.word_starts[ids[token_rows]]
    begins[offsets[lengths > 0]] = True  # a segment starts a word wherever it was cut
    word_of_token = np.cumsum(begins) - 1
    words = np.bincount(segment_of_token[begins], minlength=len(lengths))  # of each segment
    chosen, ngrams = _choose_words(words, shares, rule, random)
    rows = token_rows[chosen[word_of_token]]
    targets = ids[rows]
    fate = random.random(len(rows))
    spoken = rule.replacements[random.integers(len(rule.replacements), size=len(rows))]
    masked = np.where(fate < rule.random_share, spoken, rule.mask_id)
    ids[rows] = np.where(fate >= 1 - rule.kept_share, targets, masked)
    return Masked(ids, rows, targets, ngrams)


def _choose_words(
    words: IntArray, shares: npt.NDArray[np.float64], rule: MaskingRule, random: np.random.Generator
) -> tuple[npt.NDArray[np.bool_], IntArray]:
    """Lay n-grams at random, none over another; return which words they cover, `[words]`, and their lengths."""
    # A segment of few words is too short for the longest n-grams: they shrink to it, so it gets more of them.
    lengths = np.arange(1, rule.max_ngram + 1)
    means = np.array([np.minimum(lengths, most) @ rule.probabilities for most in range(1, rule.max_ngram + 1)])
    expected = shares * words / means[np.clip(words, 1, rule.max_ngram) - 1]
    counts = np.minimum(np.floor(expected + random.random(len(words))).astype(np.int64), words)
    segment = np.repeat(np.arange(len(words)), counts)
    sizes = random.choice(lengths, size=len(segment), p=rule.probabilities)
    sizes = np.minimum(sizes, words[segment])
    covered = np.bincount(segment, weights=sizes, minlength=len(words)).astype(np.int64)
    for full in np.flatnonzero(covered > words):
        mine = np.flatnonzero(segment == full)
        sizes[mine] = 1
        covered[full] = len(mine)
    # Slots: each n-gram is one, each word outside is one. Which slots of a segment are n-grams is drawn without putting
    # back: every arrangement is equally likely.
    slots = words - covered + counts
    slot_segment = np.repeat(np.arange(len(words)), slots)
    order = np.lexsort((random.random(len(slot_segment)), slot_segment))
    rank = np.arange(len(slot_segment)) - np.repeat(np.cumsum(slots) - slots, slots)
    is_ngram = np.zeros(len(slot_segment), np.bool_)
    is_ngram[order] = rank < np.repeat(counts, slots)
    widths = np.ones(len(slot_segment), np.int64)
    widths[is_ngram] = sizes
    return np.repeat(is_ngram, widths), sizes.astype(np.int64)
