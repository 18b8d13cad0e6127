"""Windows: a question with as much of its context as fits, several times where the context is longer.

    context tokens      0 1 2 3 4 5 6 7 8 9
    window 0            [CLS] question [SEP] 0 1 2 3 4 5 [SEP]
    window 1            [CLS] question [SEP]       3 4 5 6 7 8 [SEP]
    ..                                      doc_stride = 3

Source: `convert_examples_to_features` of google-research/albert, squad_utils.py. The position of a token in the context
comes from the tokenizer's offsets instead of that script's search for the longest common subsequence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from albertkit.batching.batch import IntArray
from albertkit.batching.batch import Sequence as TokenSequence
from albertkit.data.examples import SpanExample
from albertkit.errors import DataError, UsageError
from albertkit.tasks.encoded import Encoded
from albertkit.text.any_tokenizer import AnyTokenizer

DOC_STRIDE = 128
"""Tokens from the start of one window to the start of the next."""
MAX_QUESTION = 64
"""Tokens of a question that are read; the rest is cut off its end."""
LONGEST_ANSWER = 30
"""Tokens of the longest answer that is given."""
SHORTEST_INPUT = 8
"""Tokens that a window needs at least: three special ones, and some of question and context."""

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class ContextTokens:
    """A context, tokenised; all its windows share it."""

    ids: IntArray
    """Token ids, `[tokens]`."""
    starts: IntArray
    """Where each token begins, in characters of the context, `[tokens]`."""
    ends: IntArray
    """Where each ends (exclusive), `[tokens]`; the same as `starts` for a token that is a space."""

    def overlapping(self, start: int, end: int) -> tuple[int, int] | None:
        """Return the first and the last token that overlap the characters `[start, end)`, None where none does.

        >>> ContextTokens(np.array([7, 9]), np.array([0, 3]), np.array([2, 7])).overlapping(3, 5)
        (1, 1)
        """
        found = np.flatnonzero((self.starts < end) & (self.ends > start))
        return (int(found[0]), int(found[-1])) if len(found) else None


@dataclass(frozen=True)
class Window:
    """What is known of the context's tokens in one window."""

    first_row: int
    """Row of the window's first context token in its sequence; those before are [CLS], the question and [SEP]."""
    first_token: int
    """Which of the context's tokens that is."""
    max_context: BoolArray
    """Whether this is the window in which a token has the most context around it, for each of the window's."""
    context: ContextTokens
    """All tokens of the context."""

    def __len__(self) -> int:
        """Number of context tokens."""
        return len(self.max_context)

    @property
    def starts(self) -> IntArray:
        """Where each of the window's context tokens begins, in characters of the context."""
        return self.context.starts[self.first_token : self.first_token + len(self)]

    @property
    def ends(self) -> IntArray:
        """Where each of them ends (exclusive)."""
        return self.context.ends[self.first_token : self.first_token + len(self)]


def encode_windows(
    tokenizer: AnyTokenizer,
    examples: Sequence[SpanExample],
    *,
    max_length: int,
    doc_stride: int = DOC_STRIDE,
    max_question: int = MAX_QUESTION,
) -> Encoded:
    """Tokenise questions with their contexts, each into one window or more; a window is a unit.

    Args:
        tokenizer: the model's.
        examples: questions; a context that several share is tokenised once.
        max_length: tokens of a window at most. Where it is short, a question loses more of its end than `max_question`
            says (it keeps at most two thirds), and windows follow each other closer than `doc_stride`, so that an
            answer of up to 30 tokens is wholly in one of them, or half of the window is shared.
        doc_stride: tokens from one window to the next.
        max_question: tokens of a question that are read; the sequences' `truncated` records what is cut.

    Returns:
        Windows in the order of the examples, with a `Window` for each as `details`.

    Raises:
        UsageError: max_length has no room for question and context, or a number is not positive.
        TextError: a text that cannot be tokenised.
    """
    if max_length < SHORTEST_INPUT:
        raise UsageError(
            f"max_length {max_length} has no room for a question and its context; give at least {SHORTEST_INPUT}"
        )
    if doc_stride < 1 or max_question < 1:
        raise UsageError(f"doc_stride is {doc_stride} and max_question {max_question}; both must be 1 or more")
    cls_id, sep_id = np.array([tokenizer.cls_id]), np.array([tokenizer.sep_id])
    longest_question = min(max_question, (max_length - 3) * 2 // 3)
    contexts: dict[str, ContextTokens] = {}
    sequences: list[TokenSequence] = []
    example_ids: list[int] = []
    details: list[Window] = []
    questions = tokenizer.ids_of([example.question for example in examples])
    for number, (example, question) in enumerate(zip(examples, questions, strict=True)):
        context = contexts.get(example.context)
        if context is None:
            context = contexts[example.context] = _tokenised(tokenizer, example.context)
        kept = np.array(question[:longest_question], np.int64)
        before = np.concatenate([cls_id, kept, sep_id])
        room = max_length - len(before) - 1
        spans, max_context = context_spans(len(context.ids), room, doc_stride)
        for (start, end), best in zip(spans, max_context, strict=True):
            ids = np.concatenate([before, context.ids[start:end], sep_id])
            segments = np.zeros(len(ids), np.int64)
            segments[len(before) :] = 1
            sequences.append(TokenSequence(ids, segments, truncated=len(question) - len(kept)))
            example_ids.append(number)
            details.append(Window(len(before), start, best, context))
    return Encoded(sequences, np.ones(len(sequences), np.int64), np.array(example_ids, np.int64), details)


def _tokenised(tokenizer: AnyTokenizer, context: str) -> ContextTokens:
    encoding = tokenizer.encode(context, specials=False)
    offsets = np.array(encoding.offsets, np.int64).reshape(-1, 2)
    return ContextTokens(np.array(encoding.input_ids, np.int64), offsets[:, 0].copy(), offsets[:, 1].copy())


@lru_cache(maxsize=4096)
def context_spans(tokens: int, room: int, doc_stride: int) -> tuple[list[tuple[int, int]], list[BoolArray]]:
    """Return the windows of a context `[start, end)` in its tokens, and where each token has its maximal context.

    Of the windows that hold a token the one counts where the smaller of its left and right context is largest, plus
    a hundredth of the window's length; of equal ones the first (`_check_is_max_context`, run_squad.py of BERT).

    >>> spans, best = context_spans(10, 6, 3)
    >>> spans, best[1].tolist()
    ([(0, 6), (3, 9), (6, 10)], [False, False, True, True, True, False])

    Args:
        tokens: tokens of the context; 0 gives one empty window.
        room: tokens of the context that a window holds, 1 or more.
        doc_stride: tokens from one window to the next; less where windows are short, see `encode_windows`.
    """
    stride = min(doc_stride, max(room - LONGEST_ANSWER, (room + 1) // 2))
    spans = [(0, min(room, tokens))]
    while spans[-1][1] < tokens:
        start = spans[-1][0] + stride
        spans.append((start, min(start + room, tokens)))
    scores = np.full((len(spans), tokens), -np.inf)
    for number, (start, end) in enumerate(spans):
        place = np.arange(end - start)
        scores[number, start:end] = np.minimum(place, place[::-1]) + 0.01 * (end - start)
    best = scores.argmax(axis=0) if tokens else np.zeros(0, np.int64)
    return spans, [best[start:end] == number for number, (start, end) in enumerate(spans)]


def window_targets(encoded: Encoded, examples: Sequence[SpanExample]) -> IntArray:
    """Return the rows of the first and the last token of the right answer in each window, `[windows, 2]`.

    (0, 0), which is [CLS], where the answer is not wholly inside the window, or there is none. Of several right answers
    the first counts. Its tokens are those that overlap its characters.

    Raises:
        DataError: an example whose answers are not known, or an answer that is outside its context.
    """
    targets = np.zeros((len(encoded), 2), np.int64)
    for unit, number in enumerate(encoded.example_ids):
        example = examples[number]
        if example.answers is None:
            raise DataError(
                f"question {example.id or number} has no answers; this split cannot be trained on or scored"
            )
        if not example.answers:
            continue
        answer = example.answers[0]
        start, end = answer.start, answer.start + len(answer.text)
        if not 0 <= start < end <= len(example.context):
            raise DataError(
                f"question {example.id or number}: its answer at characters {start} to {end} is outside the context of "
                f"{len(example.context)} characters; correct the answer's start"
            )
        window = encoded.details[unit]
        found = window.context.overlapping(start, end)
        if found is None:
            continue
        first, last = found[0] - window.first_token, found[1] - window.first_token
        if first >= 0 and last < len(window):
            targets[unit] = window.first_row + first, window.first_row + last
    return targets
