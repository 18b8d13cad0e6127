"""Masking: shares, lengths and fates by counting a million tokens; whole words, inside their segments."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from albertkit.data.pretraining.masking import Masked, MaskingRule, mask_segments, word_start_table
from albertkit.errors import UsageError

MASK, FIRST, PIECES = 4, 5, 5000
Array = np.ndarray[Any, Any]


class Text(NamedTuple):
    """A packed batch of pairs."""

    ids: Array
    starts: Array
    lengths: Array
    words: Array
    """Number of each token's word, -1 for special tokens."""


def random_text(*, tokens: int, max_length: int, word_starts: Array, seed: int = 3) -> Text:
    """`[CLS] a [SEP] b [SEP]`, a and b of similar length; special tokens are 2 and 3."""
    random = np.random.RandomState(seed)
    count, inner = tokens // max_length, max_length - 3
    first = random.normal(inner / 2, inner / 6, count).astype(int).clip(1, inner - 1)
    begins = np.arange(count) * max_length
    ids = random.randint(FIRST, len(word_starts), count * max_length)
    ids[begins], ids[begins + first + 1], ids[begins + max_length - 1] = 2, 3, 3
    starts = np.stack([begins + 1, begins + first + 2], axis=1).reshape(-1)
    return Text(ids, starts, np.stack([first, inner - first], axis=1).reshape(-1), words_of(ids, starts, word_starts))


def words_of(ids: Array, starts: Array, word_starts: Array) -> Array:
    """Count words: one starts with its first piece, or with its segment."""
    special = ids < FIRST
    begins = word_starts[ids] | special
    begins[starts[starts < len(ids)]] = True
    words = np.cumsum(begins)
    words[special] = -1
    return words


def mask(text: Text, rule: MaskingRule, *, share: float, seed: int = 3) -> Masked:
    return mask_segments(
        text.ids,
        starts=text.starts,
        lengths=text.lengths,
        shares=np.full(len(text.lengths), share),
        rule=rule,
        random=np.random.default_rng(seed),
    )


def some_rule(**options: Any) -> MaskingRule:
    word_starts = np.random.RandomState(1).random_sample(PIECES) < 0.7
    return MaskingRule(word_starts, MASK, np.arange(FIRST, PIECES), **options)


def check_words(text: Text, masked: Masked) -> Array:
    """Check all that holds for every batch; return the words of each run of masked ones."""
    assert (np.diff(masked.positions) > 0).all()
    np.testing.assert_array_equal(masked.targets, text.ids[masked.positions])
    untouched = np.ones(len(text.ids), np.bool_)
    untouched[masked.positions] = False
    np.testing.assert_array_equal(masked.input_ids[untouched], text.ids[untouched])
    assert (text.words[masked.positions] >= 0).all(), "a special token is masked"
    chosen = np.unique(text.words[masked.positions])
    assert np.isin(text.words, chosen).sum() == len(masked.positions), "a word is masked in part"
    # A run ends where a word is left out, or a segment ends: special tokens take numbers, too.
    ends = np.flatnonzero(np.diff(chosen) > 1) + 1
    assert masked.ngrams.sum() == len(chosen)
    # Every run is made of whole n-grams: none reaches over the end of a segment.
    assert set(ends.tolist()) <= set(np.cumsum(masked.ngrams).tolist())
    return np.diff([0, *ends, len(chosen)])


@pytest.mark.parametrize("max_length", [32, 128, 512])
def test_a_million_tokens(max_length: int) -> None:
    rule = some_rule()
    text = random_text(tokens=1_000_000, max_length=max_length, word_starts=rule.word_starts)
    masked = mask(text, rule, share=0.15 * max_length / (max_length - 3))
    check_words(text, masked)
    assert len(masked.positions) / len(text.ids) == pytest.approx(0.15, abs=0.002)
    sizes = np.bincount(masked.ngrams, minlength=4)
    assert sizes[0] == 0
    assert (sizes[1:] / sizes.sum()).tolist() == pytest.approx([6 / 11, 3 / 11, 2 / 11], abs=0.01)
    now = masked.input_ids[masked.positions]
    fates = np.where(now == MASK, "mask", np.where(now == masked.targets, "kept", "random"))
    for fate, share in {"mask": 0.8, "kept": 0.1, "random": 0.1}.items():
        assert np.mean(fates == fate) == pytest.approx(share, abs=0.005), fate
    spoken = now[fates == "random"]
    assert spoken.min() >= FIRST
    assert spoken.mean() == pytest.approx((FIRST + PIECES - 1) / 2, rel=0.02)  # even over all pieces


def test_runs_far_apart_have_the_lengths_of_ngrams() -> None:
    """At 2 % few n-grams touch: what is seen in the text is what was drawn."""
    rule = some_rule(share=0.02)
    text = random_text(tokens=1_000_000, max_length=500, word_starts=rule.word_starts)
    runs = np.bincount(check_words(text, mask(text, rule, share=0.02)), minlength=4)
    assert (runs[1:4] / runs.sum()).tolist() == pytest.approx([6 / 11, 3 / 11, 2 / 11], abs=0.02)


def test_the_middle_of_a_segment_is_masked_evenly() -> None:
    rule = some_rule(max_ngram=1)
    lengths = np.full(4000, 50)
    starts = np.arange(4000) * 50
    ids = np.random.RandomState(3).randint(FIRST, PIECES, 200_000)
    every = MaskingRule(np.ones(PIECES, np.bool_), MASK, rule.replacements, max_ngram=1)
    masked = mask(Text(ids, starts, lengths, np.arange(len(ids))), every, share=0.15)
    places = np.bincount(masked.positions % 50, minlength=50) / 4000
    assert places.tolist() == pytest.approx([0.15] * 50, abs=5 * (0.15 * 0.85 / 4000) ** 0.5)  # five standard errors


@settings(max_examples=80, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 12), min_size=1, max_size=12),
    share=st.floats(0, 2),
    max_ngram=st.integers(1, 5),
    word_share=st.sampled_from([0.0, 0.5, 1.0]),
    seed=st.integers(0, 1000),
)
def test_small_segments(lengths: list[int], share: float, max_ngram: int, word_share: float, seed: int) -> None:
    """A special token is before each segment and at the end; the share may ask for more than there is."""
    random = np.random.default_rng(seed)
    word_starts = random.random(PIECES) < word_share
    rule = MaskingRule(word_starts, MASK, np.arange(FIRST, PIECES), max_ngram=max_ngram)
    sizes = np.array(lengths)
    ends = np.cumsum(sizes + 1)
    ids = random.integers(FIRST, PIECES, ends[-1] + 1)
    ids[[0, *ends]] = 3
    starts = ends - sizes
    text = Text(ids, starts, sizes, words_of(ids, starts[sizes > 0], word_starts))
    masked = mask(text, rule, share=share, seed=seed)
    check_words(text, masked)
    assert masked.ngrams.max(initial=1) <= max_ngram


def test_the_highest_share_of_single_words_masks_whole_segments_and_no_more() -> None:
    rule = some_rule(share=0.8, max_ngram=1)
    text = Text(np.array([9, 9, 3, 9]), np.array([0, 3]), np.array([2, 1]), np.array([0, 1, -1, 3]))
    every = MaskingRule(np.ones(PIECES, np.bool_), MASK, rule.replacements, share=0.8, max_ngram=1)
    for seed in range(20):
        assert mask(text, every, share=0.8 * 6 / 3, seed=seed).positions.tolist() == [0, 1, 3]


def test_pieces_that_start_words() -> None:
    pieces = [
        "\u2581the",
        "\u2581",
        "re",
        "A",
        ",",
        "\u20ac",
        "<unk>",
        "[MASK]",
        "\u4e2d",
        "e\u0301",
        "don't",
        "x1",
        "1",
    ]
    starts = ["\u2581the", "\u2581", ",", "\u20ac", "<unk>", "\u4e2d", "e\u0301", "don't", "x1", "1"]
    assert [piece for piece, start in zip(pieces, word_start_table(pieces), strict=True) if start] == starts


def test_what_cannot_be() -> None:
    for share in (0.0, 1.0, -0.1):
        with pytest.raises(UsageError, match=f"the masked share is {share}; it must be between 0 and 1"):
            some_rule(share=share)
    with pytest.raises(UsageError, match="max_ngram is 0 words; it must be 1 or more"):
        some_rule(max_ngram=0)
    with pytest.raises(
        UsageError, match=r"the masked share is 0.5, which leaves too little context; it must be at most 0.4"
    ):
        some_rule(share=0.5)
    assert some_rule(share=0.5, max_ngram=1).probabilities.tolist() == [1.0]
