"""Reading: which words of a text the model read, and in which of its tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from albertkit.batching.batch import IntArray
from albertkit.batching.batch import Sequence as TokenSequence
from albertkit.data.examples import TextExample
from albertkit.data.words import split_words
from albertkit.errors import UsageError
from albertkit.inference.predictor import Predictor
from albertkit.inference.running import FloatArray
from albertkit.tasks.classification import ClassificationTask
from albertkit.tasks.classification.windows import tokenised_parts
from albertkit.tasks.encoded import Encoded, unit_logits
from albertkit.text.missing import MissingTokenizer

_APOSTROPHES = "'\u2019"


@dataclass(frozen=True)
class Word:
    """A word of an example."""

    field: str
    """`text` or `pair`."""
    start: int
    """Its first character, in its own text."""
    end: int
    """The character after its last."""


@dataclass(frozen=True)
class Reading:
    """An example as the model reads it."""

    example: TextExample
    """The text or pair itself."""
    sequences: list[TokenSequence]
    """One, or several windows of a long text."""
    owners: list[IntArray]
    """Number of the word that each token of each sequence belongs to, `[tokens]`; -1 for [CLS] and [SEP]."""
    words: list[Word]
    """The words that are read, in order."""
    unread: int
    """How many are not."""

    @property
    def occluded_tokens(self) -> int:
        """Tokens of the whole text and of its copies, one without each word."""
        return (len(self.words) + 1) * sum(map(len, self.sequences))


def read_example(predictor: Predictor, example: TextExample) -> Reading:
    """Tokenise an example as prediction does and tell each token's word."""
    task, tokenizer = predictor.model.task, predictor.model.tokenizer
    assert isinstance(task, ClassificationTask)
    windows = task.windows
    texts = [example.text] if example.pair is None else [example.text, example.pair]
    words: list[Word] = []
    owner_of_token: list[int] = []
    ids: list[int] = []
    counts = []
    for field, text in zip(("text", "pair"), texts, strict=False):
        offsets: list[tuple[int, int]] = []
        for begin, part in tokenised_parts(text, windows):
            encoding = tokenizer.encode(part, specials=False)
            offsets += [(begin + start, begin + end) for start, end in encoding.offsets]
            ids += encoding.input_ids
            counts.append(len(encoding.input_ids))
        spans = _joined(text_words(text), offsets)
        owner_of_token += [len(words) + number for number in _owners(offsets, spans)]
        words += [Word(field, start, end) for start, end in spans]
    sequences = predictor.encode([example]).sequences
    # The same cut, on the tokens' numbers in place of their ids: it says which token is where, in windows too.
    numbered = task.encode(_Numbers(counts), [example], max_length=predictor.model.max_length)
    table = np.array([*owner_of_token, -1], np.int64)
    known = np.array([*ids, -1], np.int64)
    owners = []
    for sequence, numbers in zip(sequences, numbered.sequences, strict=True):
        read = numbers.input_ids >= 0
        assert (known[numbers.input_ids[read]] == sequence.input_ids[read]).all(), "a token is in an unexpected place"
        owners.append(np.where(read, table[numbers.input_ids], -1))
    seen = sorted({int(number) for row in owners for number in row if number >= 0})
    place = np.full(len(words) + 1, -1, np.int64)
    place[seen] = np.arange(len(seen))
    owners = [place[row] for row in owners]
    return Reading(example, sequences, owners, [words[number] for number in seen], len(words) - len(seen))


def text_words(text: str) -> list[tuple[int, int]]:
    """Return the span of each word; what an apostrophe joins is one.

    >>> text_words("Don't stop!")
    [(0, 5), (6, 10), (10, 11)]
    """
    words: list[tuple[int, int]] = []
    for start, end in split_words(text):
        mark = words and words[-1][1] == start and text[start - 1] in _APOSTROPHES and text[start].isalnum()
        if mark and len(words) > 1 and words[-2][1] == words[-1][0] and words[-1][1] - words[-1][0] == 1:
            words[-2:] = [(words[-2][0], end)]
        else:
            words.append((start, end))
    return words


def _joined(spans: Sequence[tuple[int, int]], offsets: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Make one of words that share a token, such as the marks of an ellipsis."""
    joined: list[tuple[int, int]] = []
    tokens = iter(sorted(offsets))
    token = next(tokens, None)
    for start, end in spans:
        while token is not None and token[1] <= start:
            token = next(tokens, None)
        if joined and token is not None and token[0] < joined[-1][1]:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


def _owners(offsets: Sequence[tuple[int, int]], spans: Sequence[tuple[int, int]]) -> list[int]:
    """Return the number of each token's word; a token that is only a space goes with the word after it."""
    if not spans:  # tokens without a word: nothing but characters that are no text
        return [-1] * len(offsets)
    ends = np.array([end for _, end in spans])
    found = np.searchsorted(ends, [start for start, _ in offsets], side="right")
    return [min(int(number), len(spans) - 1) for number in found]


class _Numbers(MissingTokenizer):
    """Gives the tokens' numbers in place of their ids, -1 for [CLS] and [SEP]; it can do nothing else."""

    cls_id = sep_id = -1

    def __init__(self, counts: Sequence[int]) -> None:
        super().__init__("numbers of tokens have no text")
        starts = np.cumsum([0, *counts])
        self.ranges = iter([list(range(start, start + count)) for start, count in zip(starts, counts, strict=False)])

    def _batch_ids(self, texts: list[str], threads: int | None) -> list[list[int]]:
        """Return the numbers of the next texts' tokens: the first text and then the second, or all sentences."""
        del threads
        return [next(self.ranges) for _ in texts]


def output_values(task: ClassificationTask, rows: Sequence[FloatArray], *, each: int) -> npt.NDArray[np.float64]:
    """Return the labels' probabilities as `predict` has them, or the regression's value, `[copies, outputs]`.

    Args:
        task: the model's.
        rows: the logits of each sequence, copy by copy.
        each: sequences of a copy.
    """
    copies = len(rows) // each
    logits = unit_logits(rows, Encoded([], np.full(copies, each, np.int64), np.arange(copies, dtype=np.int64)))
    return logits.astype(np.float64) if task.name == "regression" else task.probabilities(logits)


def require_labels(predictor: Predictor) -> ClassificationTask:
    """Return the task of a model, and refuse one whose predictions are no labels.

    Raises:
        UsageError: it has no task head, or one for answers, tags or choices.
    """
    task = predictor.model.task
    if task is None:
        name = predictor.model.source
        raise UsageError(f"{name} has no task head; fine-tune it first: albertkit finetune --model {name} --data DATA")
    if not isinstance(task, ClassificationTask):
        raise UsageError(
            f"explanations are for labels and values of whole texts, but {predictor.model.source} was trained for "
            f"{task.name}; leave out --explain"
        )
    return task
