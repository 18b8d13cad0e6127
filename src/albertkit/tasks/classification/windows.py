"""Windows: split a text that is longer than the network's input into several sequences of one unit.

    tokens of the text  0 1 2 3 4 5 6 7 8 9
    window 0            [CLS] 0 1 2 3 [SEP]
    window 1            [CLS]     2 3 4 5 [SEP]
    ..                        stride = 2
    the last one        [CLS]             6 7 8 9 [SEP]

Each window gives logits, and the text gets their mean, in training too. Every window except that of a short text is
full: the last one ends with the text and may overlap more, so that no logit depends on only a few last words.

For a pair, the longer text is split and every window repeats the other. The first window equals the result of Google's
truncation, for pairs too: if the shorter text fills more than half of the window, it is cut to half.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from albertkit.batching.batch import IntArray
from albertkit.batching.batch import Sequence as TokenSequence
from albertkit.data.examples import TextExample
from albertkit.errors import UsageError
from albertkit.tasks.encoded import Encoded
from albertkit.text.any_tokenizer import AnyTokenizer
from albertkit.text.sequences import build_sequence, token_budget, truncated_lengths

MOST = 8
"""Windows of a text at most, unless another number is given."""


@dataclass(frozen=True)
class Windows:
    """How long texts are read.

    Raises:
        UsageError: a number below 1.
    """

    stride: int
    """Tokens from the start of one window to the start of the next; never more than a window holds of the text, so
    that no token between two windows is skipped."""
    most: int = MOST
    """Maximum windows per text; the rest is not read, and `truncated` of the first window records it."""

    def __post_init__(self) -> None:
        for name, value in (("window_stride", self.stride), ("max_windows", self.most)):
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise UsageError(f"{name} is {value!r:.40}; it must be a whole number of 1 or more")


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
    if tokens <= room or room < 1:
        return [(0, min(tokens, room))]
    starts = list(range(0, tokens - room, min(windows.stride, room)))[: windows.most]
    if len(starts) < windows.most:
        starts.append(tokens - room)
    return [(start, start + room) for start in starts]


def encode_windows(
    tokenizer: AnyTokenizer, examples: Sequence[TextExample], *, max_length: int, windows: Windows
) -> Encoded:
    """Tokenise texts or pairs, each a unit of one sequence or, where it is longer than `max_length`, of several.

    Args:
        tokenizer: the model's.
        examples: texts or pairs; among pairs a text without one has an empty one.
        max_length: tokens of a sequence at most, special ones among them.
        windows: stride and the largest number.

    Raises:
        UsageError: max_length has no room for the special tokens.
        TextError: a text that cannot be tokenised.
    """
    paired = any(example.pair is not None for example in examples)
    budget = token_budget(max_length, num_specials=3 if paired else 2)
    assert budget is not None
    first = tokenizer.ids_of([example.text for example in examples])
    second = tokenizer.ids_of([example.pair or "" for example in examples]) if paired else None
    cls_id, sep_id = tokenizer.cls_id, tokenizer.sep_id
    sequences: list[TokenSequence] = []
    counts = np.zeros(len(examples), np.int64)
    for number, ids in enumerate(first):
        a = np.array(ids, np.int64)
        b = np.array(second[number], np.int64) if second is not None else None
        parts = _parts(a, b, budget=budget, windows=windows)
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


def _parts(a: IntArray, b: IntArray | None, *, budget: int, windows: Windows) -> _Parts:
    if b is None:
        spans = window_spans(len(a), budget, windows=windows)
        return _Parts([(a[start:end], None) for start, end in spans], spans[-1][1])
    kept_a, kept_b = truncated_lengths(len(a), len(b), budget=budget)
    if len(a) > len(b):  # of equally long parts the second is the longer one, as in Google's truncation
        spans = window_spans(len(a), kept_a, windows=windows)
        return _Parts([(a[start:end], b[:kept_b]) for start, end in spans], spans[-1][1] + kept_b)
    spans = window_spans(len(b), kept_b, windows=windows)
    return _Parts([(a[:kept_a], b[start:end]) for start, end in spans], spans[-1][1] + kept_a)
