"""Windows: split a text that is longer than the network's input into several sequences of one unit.

    tokens of the text  0 1 2 3 4 5 6 7 8 9
    window 0            [CLS] 0 1 2 3 [SEP]
    window 1            [CLS]     2 3 4 5 [SEP]
    ..                        stride = 2
    the last one        [CLS]             6 7 8 9 [SEP]

With a stride of None the windows are whole sentences, and neighbouring short ones share a window.

Each window gives logits, and the text gets their mean, in training too. Every window of a stride, except that of a
short text, is full: the last one ends with the text and may overlap more, so that no logit depends on only a few words.

For a pair, the longer text is split and every window repeats the other; whole sentences are for single texts. The
first window equals the result of Google's truncation, for pairs too: if the shorter text fills more than half of the
window, it is cut to half.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from albertkit.batching.batch import IntArray
from albertkit.batching.batch import Sequence as TokenSequence
from albertkit.data.corpus.sentences import split_sentences
from albertkit.data.examples import TextExample
from albertkit.errors import UsageError
from albertkit.tasks.encoded import Encoded
from albertkit.text.any_tokenizer import AnyTokenizer
from albertkit.text.sequences import build_sequence, token_budget, truncated_lengths

MOST, MOST_SENTENCES = 8, 64
"""Windows of a text at most, of a stride and of whole sentences, unless another number is given."""
SHORT = 16
"""Neighbouring sentences share a window while they have at most so many tokens together. With 300 IMDB reviews, linear
heads on albert-nano (C = 0.01, three draws) were right on 78 % of others with 12 words, on 76 with 25 and on 75 with
80; with windows of 30 tokens that begin anywhere, on 5 less than with sentences (two draws)."""
_BREAK = re.compile(r"\n|<br ?/?>", re.IGNORECASE)


@dataclass(frozen=True)
class Windows:
    """How long texts are read.

    Raises:
        UsageError: a number below 1.
    """

    stride: int | None
    """Tokens from the start of one window to the start of the next; never more than a window holds of the text, so
    that no token between two windows is skipped. None: windows of whole sentences."""
    most: int = MOST
    """Maximum windows per text; the rest is not read, and `truncated` of the first window records it."""

    def __post_init__(self) -> None:
        for name, value in (("window_stride", 1 if self.stride is None else self.stride), ("max_windows", self.most)):
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise UsageError(f"{name} is {value!r:.40}; it must be a whole number of 1 or more")

    @classmethod
    def of(cls, stride: int | None, most: int | None, *, by_sentence: bool) -> Windows | None:
        """Return the windows that a task's settings name; None where long texts are cut.

        Args:
            stride: as above; None cuts, unless the windows are sentences, which have none.
            most: as above; 8, or 64 sentences, if None.
            by_sentence: whether the windows are whole sentences.

        Raises:
            UsageError: a number below 1, also one that is not used.
        """
        found = cls(stride, (MOST_SENTENCES if by_sentence else MOST) if most is None else most)
        if by_sentence:
            return replace(found, stride=None)
        return None if stride is None else found


def tokenised_parts(text: str, windows: Windows | None) -> list[tuple[int, str]]:
    """Return the parts of a text that are tokenised each for itself, and where each begins: sentences, or all of it.

    A line end and HTML's <br> end a sentence, too, and are not read.

    >>> tokenised_parts("Fine. Go on<br />Stop.", Windows(None))
    [(0, 'Fine.'), (6, 'Go on'), (17, 'Stop.')]
    >>> tokenised_parts("Fine. Go on", None)
    [(0, 'Fine. Go on')]

    Args:
        text: a single text.
        windows: how it is read; None where it is cut.
    """
    if windows is None or windows.stride is not None:
        return [(0, text)]
    parts: list[tuple[int, str]] = []
    begin = 0
    for end, following in [*(one.span() for one in _BREAK.finditer(text)), (len(text), len(text))]:
        for sentence in split_sentences(text[begin:end]):
            begin = text.index(sentence, begin)
            parts.append((begin, sentence))
            begin += len(sentence)
        begin = following
    return parts


def sentence_spans(sentences: Sequence[int], room: int, *, most: int) -> list[tuple[int, int]]:
    """Return where the windows of a text begin and end (exclusive), in its tokens, if they are whole sentences.

    A sentence that is longer than a window is cut into several.

    >>> sentence_spans([20, 5, 6, 30], 24, most=9)
    [(0, 20), (20, 31), (31, 55), (55, 61)]

    Args:
        sentences: tokens of each; of a text without any one empty window is left.
        room: tokens of the text that a window holds; 0 gives one empty window.
        most: the largest number of windows.
    """
    if room < 1:
        return [(0, 0)]
    spans: list[tuple[int, int]] = []
    start = end = 0
    for tokens in sentences:
        if end > start and end + tokens - start > min(SHORT, room):
            spans.append((start, end))
            start = end
        end += tokens
        while end - start > room:
            spans.append((start, start + room))
            start += room
    if end > start or not spans:
        spans.append((start, end))
    return spans[:most]


def window_spans(tokens: int, room: int, *, windows: Windows) -> list[tuple[int, int]]:
    """Return where the windows of a text begin and end (exclusive), in its tokens.

    >>> window_spans(10, 4, windows=Windows(3)), window_spans(10, 4, windows=Windows(2, most=2))
    ([(0, 4), (3, 7), (6, 10)], [(0, 4), (2, 6)])
    >>> window_spans(9, 4, windows=Windows(99))
    [(0, 4), (4, 8), (5, 9)]

    Args:
        tokens: tokens of the text; 0 gives one empty window.
        room: tokens of the text that a window holds; 0 gives one empty window.
        windows: stride and the largest number.
    """
    assert windows.stride is not None
    if tokens <= room or room < 1:
        return [(0, min(tokens, room))]
    starts = list(range(0, tokens - room, min(windows.stride, room)))[: windows.most]
    if len(starts) < windows.most:
        starts.append(tokens - room)
    return [(start, start + room) for start in starts]


def encode_windows(
    tokenizer: AnyTokenizer, examples: Sequence[TextExample], *, max_length: int, windows: Windows
) -> Encoded:
    """Tokenise texts or pairs, each a unit of one sequence or of several.

    With a stride those longer than `max_length` have several, else those of several sentences.

    Args:
        tokenizer: the model's.
        examples: texts or pairs; among pairs a text without one has an empty one.
        max_length: tokens of a sequence at most, special ones among them.
        windows: stride and the largest number.

    Raises:
        UsageError: max_length has no room for the special tokens, or pairs that are to be read by sentence.
        TextError: a text that cannot be tokenised.
    """
    paired = any(example.pair is not None for example in examples)
    budget = token_budget(max_length, num_specials=3 if paired else 2)
    assert budget is not None
    if windows.stride is None and paired:
        raise UsageError("this model reads texts by sentence, which pairs are not; leave out the second text")
    first = [[part for _, part in tokenised_parts(example.text, windows)] for example in examples]
    ids = iter(tokenizer.ids_of([part for own in first for part in own]))
    second = tokenizer.ids_of([example.pair or "" for example in examples]) if paired else None
    cls_id, sep_id = tokenizer.cls_id, tokenizer.sep_id
    sequences: list[TokenSequence] = []
    counts = np.zeros(len(examples), np.int64)
    for number, own in enumerate(first):
        own_ids = [np.array(next(ids), np.int64) for _ in own]
        a = np.concatenate([np.zeros(0, np.int64), *own_ids])
        b = np.array(second[number], np.int64) if second is not None else None
        parts = _parts(a, b, budget=budget, windows=windows, sentences=[len(part) for part in own_ids])
        whole = len(a) + (0 if b is None else len(b))
        for index, (part_a, part_b) in enumerate(parts.pairs):
            made = build_sequence(part_a, part_b, max_length=max_length, cls_id=cls_id, sep_id=sep_id)
            unread = whole - parts.read if index == 0 else 0
            sequences.append(TokenSequence(made.input_ids, made.token_type_ids, truncated=unread))
        counts[number] = len(parts.pairs)
    return Encoded(sequences, counts, np.arange(len(examples), dtype=np.int64))


@dataclass(frozen=True)
class _Parts:
    pairs: list[tuple[IntArray, IntArray | None]]
    read: int
    """How many different tokens they hold."""


def _parts(a: IntArray, b: IntArray | None, *, budget: int, windows: Windows, sentences: Sequence[int]) -> _Parts:
    if b is None:
        if windows.stride is None:
            spans = sentence_spans(sentences, budget, most=windows.most)
        else:
            spans = window_spans(len(a), budget, windows=windows)
        return _Parts([(a[start:end], None) for start, end in spans], spans[-1][1])
    kept_a, kept_b = truncated_lengths(len(a), len(b), budget=budget)
    if len(a) > len(b):  # of equally long parts the second is the longer one, as in Google's truncation
        spans = window_spans(len(a), kept_a, windows=windows)
        return _Parts([(a[start:end], b[:kept_b]) for start, end in spans], spans[-1][1] + kept_b)
    spans = window_spans(len(b), kept_b, windows=windows)
    return _Parts([(a[:kept_a], b[start:end]) for start, end in spans], spans[-1][1] + kept_a)
