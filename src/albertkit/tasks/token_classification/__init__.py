"""A tag for each word of a text, and the entities that the tags make. Without torch; the head is in `head.py`.

    text      Lin's guitar                 words     Lin  '  s  guitar
    tokens    [CLS] _lin ' s _guitar [SEP]
    rows      1 2 3 4                      the first token of each word speaks for the word

A text that is too long is read in windows that overlap by a quarter of max_length. A word is learned and tagged in the
one window where it has the most text on its poorer side, as google-research/bert's run_squad.py chooses the window of
an answer ("max context").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from albertkit.batching.batch import IntArray
from albertkit.batching.batch import Sequence as TokenSequence
from albertkit.data.entities import OUTSIDE, find_entities, split_tag, tag_scheme
from albertkit.data.examples import TokenExample
from albertkit.data.word_joins import WordJoins, learn_joins
from albertkit.data.words import join_words, split_words
from albertkit.errors import DataError, UsageError
from albertkit.tasks.encoded import Encoded
from albertkit.tasks.saved import saved_as
from albertkit.text.any_tokenizer import AnyTokenizer
from albertkit.text.sequences import build_sequence, token_budget

FloatArray = npt.NDArray[np.float32]
Span = tuple[int, int]

IGNORED = -100
"""Target of a token that speaks for no word: torch's and transformers' number for "no loss here"."""


@dataclass(frozen=True)
class WindowWords:
    """The words that one window decides."""

    words: IntArray
    """Their numbers in the example, `[words]`, rising."""
    rows: IntArray
    """Row of each one's token in the window, [CLS] being row 0, `[words]`."""


@dataclass(frozen=True)
class TokenClassificationTask:
    """Tags of words: named entities, parts of speech."""

    name: str = "token_classification"
    """The name in the registry."""
    data_task: str = "token_classification"
    """What a data set calls it."""
    head: str = "tags"
    """Name of the head in canonical state."""
    objective: str = "albertkit.tasks.token_classification.head:TAGS"
    """Where the head and the loss are."""
    problem_type: str | None = None
    """Hugging Face has no word for it: the class of the model says it."""
    metrics: tuple[str, ...] = ("f1", "precision", "recall", "accuracy")
    """Metrics for data that names none; the first is the main one."""
    word_joins: WordJoins | None = field(default=None, metadata=saved_as(WordJoins.to_lists, WordJoins.from_lists))
    """How raw text is split into words, where the training texts were words: they are read with a blank between them,
    so every text is. None where the training texts were raw: `split_words` splits others, too, and the blanks stay."""

    def num_outputs(self, labels: Sequence[str]) -> int:
        """Return the number of tags."""
        return len(labels)

    def example_of(self, text: str, pair: str | None = None) -> TokenExample:
        """Split a raw text into words as the training data were split, none of them tagged.

        Raises:
            UsageError: there is a second text.

        >>> TOKEN_CLASSIFICATION.example_of("Hi, Ada").words
        ((0, 2), (2, 3), (4, 7))
        """
        if pair is not None:
            raise UsageError("tags are of one text; leave the second one out, or give it as a text of its own")
        return TokenExample(text, split_words(text) if self.word_joins is None else self.word_joins.split(text))

    def split_as(self, examples: Sequence[TokenExample]) -> TokenClassificationTask:
        """Return the task that reads raw text as it reads these examples: split into words in their way."""
        if any(example.text != " ".join(_words(example)) for example in examples):
            return replace(self, word_joins=None)
        return replace(self, word_joins=learn_joins(map(_words, examples)))

    def encode(self, tokenizer: AnyTokenizer, examples: Sequence[TokenExample], *, max_length: int) -> Encoded:
        """Tokenise texts; a unit is a window, its detail says which words it decides.

        Args:
            tokenizer: of the model.
            examples: texts with words.
            max_length: tokens of a window at most, [CLS] and [SEP] among them.

        Raises:
            UsageError: max_length leaves no room for a token of the text.
            TextError: a text with a lone surrogate.
        """
        budget = token_budget(max_length, num_specials=2)
        if not budget:
            raise UsageError(f"max_length {max_length} has no room for a token of the text; give at least 3")
        cls_id, sep_id = tokenizer.cls_id, tokenizer.sep_id
        sequences: list[TokenSequence] = []
        details: list[WindowWords] = []
        owners: list[int] = []
        for number, example in enumerate(examples):
            text, spans = example.text, example.words
            if self.word_joins is not None:
                text, spans = join_words(_words(example))
            tokens = tokenizer.encode(text, specials=False)
            ids = np.array(tokens.input_ids, np.int64)
            words, rows = word_rows(spans, tokens.offsets)
            windows = window_spans(len(ids), size=budget, overlap=max_length // 4)
            chosen = best_windows(rows, windows)
            for window, (start, end) in enumerate(windows):
                own = chosen == window
                sequences.append(build_sequence(ids[start:end], None, max_length=None, cls_id=cls_id, sep_id=sep_id))
                details.append(WindowWords(words[own], rows[own] - start + 1))
                owners.append(number)
        return Encoded(sequences, np.ones(len(sequences), np.int64), np.array(owners, np.int64), details)

    def unit_targets(
        self, encoded: Encoded, examples: Sequence[TokenExample], *, num_labels: int
    ) -> list[npt.NDArray[Any]]:
        """Return for each window the label of each token, `[tokens]` int64, `IGNORED` where it speaks for no word.

        Where two words share a token, the first one's label is learned.

        Raises:
            DataError: an example without tags, with more or fewer than words, or with a tag beyond the labels.
        """
        for row, example in enumerate(examples):
            _check_tags(example, row, num_labels)
        targets: list[npt.NDArray[Any]] = []
        for sequence, owner, detail in zip(encoded.sequences, encoded.owners.tolist(), encoded.details, strict=True):
            tags = np.array(examples[owner].tags, np.int64)
            target = np.full(len(sequence), IGNORED, np.int64)
            target[detail.rows[::-1]] = tags[detail.words[::-1]]  # backwards: the first word of a row is written last
            targets.append(target)
        return targets

    def predictions(
        self,
        outputs: Sequence[FloatArray],
        encoded: Encoded,
        examples: Sequence[TokenExample],
        *,
        labels: Sequence[str],
    ) -> list[Mapping[str, Any]]:
        """Return `{tags, words, entities}` for each example.

        `tags` is the likeliest tag of each word, `words` their spans `[start, end)`, `entities` a list of
        `{type, text, start, end, probability}` as seqeval's default reads the tags. All places are characters of the
        text as given, so `text[start:end]` is the entity's text. An entity's probability is the product of its words'
        probabilities of their tags: the network's own, since it decides each word by itself. Labels that mark no
        entities (parts of speech, see `albertkit.data.entities`) make none.

        Args:
            outputs: logits of each window, `[tokens, labels]`.
            encoded: what `encode` gave.
            examples: the examples.
            labels: names of the tags.
        """
        outside = labels.index(OUTSIDE) if OUTSIDE in labels else 0
        scheme = tag_scheme(labels)
        # A word without a token (control characters alone) has the tag of words in no entity; 1 says nothing of it.
        tags = [np.full(len(example.words), outside, np.int64) for example in examples]
        shares = [np.ones(len(example.words)) for example in examples]
        for logits, owner, detail in zip(outputs, encoded.owners.tolist(), encoded.details, strict=True):
            if not len(detail.words):
                continue
            best, share = _likeliest(logits[detail.rows])
            if scheme != "plain":  # one token cannot begin two
                for index in np.flatnonzero(detail.rows[1:] == detail.rows[:-1]) + 1:
                    best[index] = _going_on(int(best[index - 1]), labels)
            tags[owner][detail.words] = best
            shares[owner][detail.words] = share
        return [
            _prediction(example, [labels[tag] for tag in own.tolist()], share, scheme=scheme)
            for example, own, share in zip(examples, tags, shares, strict=True)
        ]


def word_rows(words: Sequence[Span], offsets: Sequence[Span]) -> tuple[IntArray, IntArray]:
    """Return the numbers of the words that have a token, and the token of each: the first that overlaps the word.

    A token that an earlier word has is taken again only where the word has no other.

    >>> [part.tolist() for part in word_rows([(0, 1), (1, 4), (5, 9)], [(0, 2), (2, 4), (4, 4)])]
    [[0, 1], [0, 1]]

    Args:
        words: spans in characters, in order, without overlap.
        offsets: span of each token in characters of the same text, in order; an empty one overlaps nothing.
    """
    found: list[int] = []
    rows: list[int] = []
    row, taken = 0, -1
    for number, (start, end) in enumerate(words):
        while row < len(offsets) and offsets[row][1] <= start:
            row += 1
        own = []
        for at in range(row, len(offsets)):
            first, last = offsets[at]
            if first >= end:
                break
            if last > max(first, start):
                own.append(at)
        if not own:
            continue
        taken = next((at for at in own if at > taken), own[-1])
        found.append(number)
        rows.append(taken)
    return np.array(found, np.int64), np.array(rows, np.int64)


def window_spans(length: int, *, size: int, overlap: int) -> list[Span]:
    """Return the spans `[start, end)` of the windows over a text; the last one is moved back to be full.

    >>> window_spans(10, size=6, overlap=2), window_spans(0, size=6, overlap=2)
    ([(0, 6), (4, 10)], [(0, 0)])

    Args:
        length: tokens of the text.
        size: tokens of a window, 1 or more.
        overlap: tokens that two neighbours share at least.
    """
    if length <= size:
        return [(0, length)]
    step = max(size - overlap, 1)
    starts = [*range(0, length - size, step), length - size]
    return [(start, start + size) for start in starts]


def best_windows(rows: IntArray, windows: Sequence[Span]) -> IntArray:
    """Return for each token the window where its poorer side has the most tokens; the first one of equals.

    >>> best_windows(np.array([0, 4, 5, 9]), [(0, 6), (4, 10)]).tolist()
    [0, 0, 1, 1]
    """
    if len(windows) == 1:
        return np.zeros(len(rows), np.int64)
    edges = np.array(windows, np.int64)
    # Negative where the token is outside, so such a window is never chosen: every token is in one.
    context = np.minimum(rows[:, None] - edges[:, 0], edges[:, 1] - 1 - rows[:, None])  # [tokens, windows]
    best: IntArray = context.argmax(axis=1)
    return best


def _words(example: TokenExample) -> list[str]:
    return [example.text[start:end] for start, end in example.words]


def _check_tags(example: TokenExample, row: int, num_labels: int) -> None:
    name = f"example {example.id or row}"
    if example.tags is None:
        raise DataError(f"{name} has no tags; this split cannot be trained on or scored")
    if len(example.tags) != len(example.words):
        raise DataError(f"{name} has {len(example.tags)} tags for {len(example.words)} words; give each word one tag")
    for tag in example.tags:
        if not 0 <= tag < num_labels:
            raise DataError(f"{name} has the tag {tag}, but there are {num_labels} labels, counted from 0; correct it")


def _likeliest(logits: FloatArray) -> tuple[IntArray, npt.NDArray[np.float64]]:
    """Return the best label of each row of logits, and its probability."""
    raised = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    best: IntArray = logits.argmax(axis=1)
    return best, 1 / raised.sum(axis=1)


def _going_on(tag: int, labels: Sequence[str]) -> int:
    # B-PER of the first word is I-PER of the next, where that is a label.
    following = f"I{labels[tag][1:]}"
    return labels.index(following) if split_tag(labels[tag])[0] == "B" and following in labels else tag


def _prediction(
    example: TokenExample, tags: list[str], shares: npt.NDArray[np.float64], *, scheme: str
) -> Mapping[str, Any]:
    entities = []
    found = [] if scheme == "plain" else find_entities(tags, scheme="IO" if scheme == "IO" else None)
    for entity in found:
        start, end = example.words[entity.first][0], example.words[entity.last][1]
        entities.append(
            {
                "type": entity.type,
                "text": example.text[start:end],
                "start": start,
                "end": end,
                "probability": float(shares[entity.first : entity.last + 1].prod()),
            }
        )
    return {"tags": tags, "words": [list(word) for word in example.words], "entities": entities}


TOKEN_CLASSIFICATION = TokenClassificationTask()
