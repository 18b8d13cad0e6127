"""Make pretraining instances as Google's `create_pretraining_data.py` does, with the same random number calls.

This module reproduces the original instance for instance. The original differs from the paper:

- A chunk of one sentence gets its second segment from another document and the label "swapped", so the topic already
  gives the answer away. This happens to a sentence as long as the target length, to a single last sentence, and to
  every document of one sentence. If there is no other document, the segment comes from the same document.
- At most 20 tokens of a sequence are predicted, which is 3.9 % of 512, not 15 %.
- 1, 2 and 3 words are drawn 6 : 3 : 2 (55, 27 and 18 %), but an n-gram that no longer fits the quota is tried shorter
  and one that touches a masked word is left out, which hits long ones more: 58, 27 and 15 % remain of film reviews
  in sequences of 512, 59, 26 and 15 % in sequences of 128. The code seems to renormalise the probabilities near the
  end and never does: an n-gram that would reach beyond the last word has fewer words.
- Words are masked whole as far as truncation left them whole; an n-gram may span [SEP].
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from albertkit.errors import DataError, UsageError

IntArray = npt.NDArray[np.int64]
Document = Sequence[npt.NDArray[Any]]

_SPECIALS = 3  # [CLS] a [SEP] b [SEP]
_LEAST_LENGTH = _SPECIALS + 2
_OTHER_DOCUMENT_TRIES = 10


@dataclass(frozen=True)
class Instance:
    """`[CLS] a [SEP] b [SEP]` with masks, and what is to be said of it."""

    input_ids: IntArray
    """Token ids, masked, `[tokens]`."""
    token_type_ids: IntArray
    """0 up to the first [SEP], 1 after it, `[tokens]`."""
    masked_positions: IntArray
    """Where something is predicted, ascending, `[masked]`."""
    masked_ids: IntArray
    """What stood there, `[masked]`."""
    swapped: bool
    """The label: the segments are swapped, or the second one is of another document."""


@dataclass(frozen=True)
class GoogleMasking:
    """What is masked, and with what; the names are those of Google's flags where it has some."""

    word_starts: npt.NDArray[np.bool_]
    """For each piece of the vocabulary, whether a word starts with it, `[vocabulary]`."""
    mask_id: int
    masked_lm_prob: float = 0.15
    """Share of a sequence's tokens, special ones included, that are predicted."""
    max_predictions: int = 20
    """Predictions of a sequence at most."""
    max_ngram: int = 3
    """Words of the longest n-gram."""
    favor_shorter: bool = True
    """n words in proportion to 1/n; else the other way round."""


def google_instances(
    documents: Sequence[Document],
    *,
    masking: GoogleMasking,
    cls_id: int,
    sep_id: int,
    max_length: int = 512,
    short_seq_prob: float = 0.1,
    dupe_factor: int = 1,
    seed: int = 12345,
) -> Iterator[Instance]:
    """Make instances in Google's order, before its last shuffle, which would hold all of them in memory.

    >>> masking = GoogleMasking(np.ones(50, np.bool_), mask_id=4)
    >>> document = [np.array([20, 21, 22]), np.array([30, 31])]
    >>> [instance] = google_instances([document], masking=masking, cls_id=2, sep_id=3, short_seq_prob=0)
    >>> instance.token_type_ids.tolist() in ([0, 0, 0, 0, 0, 1, 1, 1], [0, 0, 0, 0, 1, 1, 1, 1])
    True
    >>> len(instance.masked_ids)
    1

    Args:
        documents: each is a sequence of sentences, each an array of token ids without special ones; none may be empty.
        masking: what is masked.
        cls_id: id of [CLS].
        sep_id: id of [SEP].
        max_length: longest sequence in tokens, special ones included.
        short_seq_prob: share of documents whose chunks get a shorter length, drawn once per document.
        dupe_factor: how often all documents are gone through (40 in Google's runs), each time with other masks.
        seed: random seed of both generators; the original does not seed the one that draws n.

    Raises:
        UsageError: `max_length` has no room for two segments, or another number that cannot be.
        DataError: a document or a sentence is empty; Google's code drops them when it reads.
    """
    if max_length < _LEAST_LENGTH:
        raise UsageError(f"a length of {max_length} tokens has no room for two segments; give {_LEAST_LENGTH} or more")
    if masking.max_ngram < 1 or masking.max_predictions < 1 or not 0 < masking.masked_lm_prob < 1:
        raise UsageError(
            f"max_ngram {masking.max_ngram}, max_predictions {masking.max_predictions} and masked_lm_prob "
            f"{masking.masked_lm_prob} are invalid: the first two must be 1 or more, the last between 0 and 1"
        )
    # Google draws n from NumPy's global generator, which nothing seeds.
    rng, ngram_rng = random.Random(seed), np.random.RandomState(seed % 2**32)
    order = list(range(len(documents)))
    rng.shuffle(order)
    for _ in range(dupe_factor):
        for place in range(len(order)):
            for first, second, swapped in _segment_pairs(documents, order, place, max_length, short_seq_prob, rng):
                ids = np.array([cls_id, *first, sep_id, *second, sep_id], dtype=np.int64)
                token_type_ids = np.repeat([0, 1], [len(first) + 2, len(second) + 1]).astype(np.int64)
                candidates = [*range(1, len(first) + 1), *range(len(first) + 2, len(ids) - 1)]
                masks = sorted(_choose_masks(ids, candidates, masking, rng, ngram_rng))
                positions = np.array([position for position, _ in masks], dtype=np.int64)
                masked_ids = ids[positions]
                ids[positions] = [piece for _, piece in masks]
                yield Instance(ids, token_type_ids, positions, masked_ids, swapped)


def _segment_pairs(
    documents: Sequence[Document],
    order: Sequence[int],
    place: int,
    max_length: int,
    short_seq_prob: float,
    rng: random.Random,
) -> Iterator[tuple[list[int], list[int], bool]]:
    """`create_instances_from_document`: first and second segment, and the label."""
    sentences = _sentences(documents, order[place])
    most = max_length - _SPECIALS
    target = rng.randint(2, most) if rng.random() < short_seq_prob else most
    chunk: list[list[int]] = []
    length = 0
    for number, sentence in enumerate(sentences):
        chunk.append(sentence)
        length += len(sentence)
        if number < len(sentences) - 1 and length < target:
            continue
        middle = rng.randint(1, len(chunk) - 1) if len(chunk) >= 2 else 1
        first = [token for part in chunk[:middle] for token in part]
        second = [token for part in chunk[middle:] for token in part]
        swapped = True
        if len(chunk) == 1:
            second = _from_another_document(documents, order, place, target - len(first), rng)
        elif rng.random() < 0.5:
            first, second = second, first
        else:
            swapped = False
        yield *_truncated(first, second, most, rng), swapped
        chunk, length = [], 0


def _sentences(documents: Sequence[Document], index: int) -> list[list[int]]:
    sentences = [[int(token) for token in sentence] for sentence in documents[index]]
    if not sentences or not all(sentences):
        where = f", sentence {sentences.index([])}," if sentences else ""
        raise DataError(f"document {index}{where} (counted from 0) is empty; leave it out")
    return sentences


def _from_another_document(
    documents: Sequence[Document], order: Sequence[int], place: int, wanted: int, rng: random.Random
) -> list[int]:
    other = place
    for _ in range(_OTHER_DOCUMENT_TRIES):
        other = rng.randint(0, len(order) - 1)
        if other != place:
            break
    sentences = _sentences(documents, order[other])  # of the same document when ten draws found no other
    segment: list[int] = []
    for sentence in sentences[rng.randint(0, len(sentences) - 1) :]:
        segment += sentence
        if len(segment) >= wanted:
            break
    return segment


def _truncated(first: list[int], second: list[int], most: int, rng: random.Random) -> tuple[list[int], list[int]]:
    """`truncate_seq_pair`: single tokens, from the longer segment, off its front or its back."""
    bounds = [[0, len(first)], [0, len(second)]]
    for _ in range(len(first) + len(second) - most):
        lengths = [end - start for start, end in bounds]
        longer = bounds[0] if lengths[0] > lengths[1] else bounds[1]
        if rng.random() < 0.5:
            longer[0] += 1
        else:
            longer[1] -= 1
    return first[slice(*bounds[0])], second[slice(*bounds[1])]


def _choose_masks(
    ids: IntArray,
    candidates: Sequence[int],
    masking: GoogleMasking,
    rng: random.Random,
    ngram_rng: np.random.RandomState,
) -> Iterator[tuple[int, int]]:
    """`create_masked_lm_predictions`: positions and what is put there."""
    words: list[list[int]] = []
    for position, starts in zip(candidates, masking.word_starts[ids[candidates]], strict=True):
        if words and not starts:
            words[-1].append(position)  # also across [SEP], where the second segment starts within a word
        else:
            words.append([position])
    weights = 1 / np.arange(1, masking.max_ngram + 1)
    weights /= weights.sum()
    sizes = np.arange(1, masking.max_ngram + 1)
    quota = min(masking.max_predictions, max(1, round(len(ids) * masking.masked_lm_prob)))
    order = list(range(len(words)))
    rng.shuffle(order)
    covered: set[int] = set()
    for start in order:
        if len(covered) >= quota:
            break
        size = int(ngram_rng.choice(sizes, p=weights if masking.favor_shorter else weights[::-1]))
        ngram = _ngram(words, start, size)
        while size > 1 and len(covered) + len(ngram) > quota:
            size -= 1
            ngram = _ngram(words, start, size)
        if len(covered) + len(ngram) > quota or not covered.isdisjoint(ngram):
            continue
        covered.update(ngram)
        for position in ngram:
            if rng.random() < 0.8:
                yield position, masking.mask_id
            elif rng.random() < 0.5:
                yield position, int(ids[position])
            else:
                yield position, rng.randint(0, len(masking.word_starts) - 1)
    rng.shuffle(order)  # only the original's permutations need it; without it the generators would diverge


def _ngram(words: Sequence[list[int]], start: int, size: int) -> list[int]:
    """Return the positions of `size` words; fewer at the end, and across a [SEP] between them."""
    return [position for word in words[start : start + size] for position in word]
