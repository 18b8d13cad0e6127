"""The texts of a distillation: cut to the student's length, tokenised, each of them once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from albertkit.data.corpus.sentences import split_sentences
from albertkit.data.corpus.shards import token_dtype
from albertkit.data.pretraining.segments import SPECIALS
from albertkit.datasets.text_rows import Row
from albertkit.errors import DataError
from albertkit.text.any_tokenizer import AnyTokenizer
from albertkit.training.digest import texts_digest

_TOGETHER = 2048  # texts that are tokenised in one call
_SHORTEST_RUN = 8  # tokens: what runs of sentences are drawn from up to, at least


@dataclass(frozen=True)
class Texts:
    """What the teacher reads and the student is trained on."""

    texts: list[str]
    tokens: list[npt.NDArray[np.unsignedinteger]]
    """The student's tokens of each, without special ones."""
    ends: list[tuple[int, ...]]
    """Where the sentences of each end, without the last end."""
    rows: npt.NDArray[np.int64]
    """Number of the given text that each is (a part) of, from 0, `[texts]`."""
    notes: tuple[str, ...] = ()
    """What was left out or cut."""

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Tokens of each, with [CLS] and [SEP]."""
        return np.array([len(tokens) + SPECIALS - 1 for tokens in self.tokens], np.int64)

    def digest(self) -> str:
        """Return the SHA-256 of the texts, in order."""
        return texts_digest(self.texts)

    def take(self, numbers: npt.NDArray[np.int64]) -> Texts:
        """Return some of them."""
        picked = numbers.tolist()
        return Texts(
            [self.texts[number] for number in picked],
            [self.tokens[number] for number in picked],
            [self.ends[number] for number in picked],
            self.rows[numbers],
            self.notes,
        )


def prepare_texts(
    rows: Sequence[Row],
    tokenizer: AnyTokenizer,
    *,
    max_length: int,
    by_sentence: bool,
    whole: bool,
    seed: int,
) -> Texts:
    """Tokenise texts, cut what is too long, and leave out what was there before.

    Args:
        rows: the texts.
        tokenizer: the student's.
        max_length: tokens of the longest sequence, special ones included.
        by_sentence: cut every text into runs of sentences of random length.
        whole: never cut; the tokens of a longer text are truncated instead. For vectors that somebody else computed.
        seed: random seed of the lengths of the runs.

    Raises:
        DataError: a text is empty, or holds nothing that the tokenizer knows; or there are none.
        TextError: a lone surrogate.
    """
    most = max_length - SPECIALS
    random = np.random.default_rng(seed)
    dtype = token_dtype(tokenizer.vocab_size)
    texts: list[str] = []
    tokens: list[npt.NDArray[np.unsignedinteger]] = []
    ends: list[tuple[int, ...]] = []
    numbers: list[int] = []
    seen: set[str] = set()
    cut = again = 0
    for start, group in _groups(rows):
        for offset, (row, sentences) in enumerate(zip(group, _tokenized(group, tokenizer), strict=True)):
            length = sum(len(ids) for _, ids in sentences)
            if not length:
                raise DataError(f"{row.place}: the text is empty, or holds no character that the tokenizer reads")
            runs = [sentences]
            if not whole and by_sentence:
                runs = _runs(sentences, tokenizer, most=most, random=random)
            elif not whole and length > most:
                runs = _runs(sentences, tokenizer, most=most, random=None)
            cut += length > most
            for run in runs:
                text = row.text if len(runs) == 1 else " ".join(sentence for sentence, _ in run)
                if text in seen:
                    again += 1
                    continue
                seen.add(text)
                stops = np.cumsum([len(ids) for _, ids in run])
                texts.append(text)
                tokens.append(np.array([piece for _, ids in run for piece in ids][:most], dtype))
                ends.append(tuple(int(stop) for stop in stops[:-1] if 0 < stop < min(stops[-1], most)))
                numbers.append(start + offset)
    if not texts:
        raise DataError("there is no text to distil from; give files of texts with --data")
    notes = []
    if cut:
        what = "truncated" if whole else "cut into several"
        notes.append(f"{cut:,} texts are longer than {max_length} tokens and were {what}")
    if again:
        notes.append(f"{again:,} texts are duplicates and are used once")
    return Texts(texts, tokens, ends, np.array(numbers, np.int64), tuple(notes))


Tokenized = list[tuple[str, list[int]]]
"""Sentences with their tokens."""


def _groups(rows: Sequence[Row]) -> Iterator[tuple[int, Sequence[Row]]]:
    for start in range(0, len(rows), _TOGETHER):
        yield start, rows[start : start + _TOGETHER]


def _tokenized(rows: Sequence[Row], tokenizer: AnyTokenizer) -> list[Tokenized]:
    """Split texts into sentences and tokenise these, all in one call."""
    parts = [split_sentences(row.text) for row in rows]
    ids = iter(tokenizer.ids_of([sentence for sentences in parts for sentence in sentences]))
    return [[(sentence, next(ids)) for sentence in sentences] for sentences in parts]


def _runs(
    sentences: Tokenized, tokenizer: AnyTokenizer, *, most: int, random: np.random.Generator | None
) -> list[Tokenized]:
    """Put sentences that follow each other together, up to `most` tokens, or up to lengths that are drawn."""
    runs: list[Tokenized] = []
    room = 0
    for part in (part for sentence in sentences for part in _fitting(sentence, tokenizer, most=most)):
        length = len(part[1])
        if not length:
            continue
        if length > room:
            runs.append([])
            room = most if random is None else int(random.integers(min(_SHORTEST_RUN, most), most + 1))
        runs[-1].append(part)
        room -= length
    return runs


def _fitting(sentence: tuple[str, list[int]], tokenizer: AnyTokenizer, *, most: int) -> Tokenized:
    """Cut a sentence that is too long between words; one word that is too long stays, and is truncated."""
    text, ids = sentence
    words = text.split()
    if len(ids) <= most or len(words) < 2:
        return [sentence]
    count = min(len(words), -(-len(ids) // most))
    cuts = [len(words) * number // count for number in range(count + 1)]
    shorter = [" ".join(words[first:last]) for first, last in pairwise(cuts)]
    return [
        part
        for one in zip(shorter, tokenizer.ids_of(shorter), strict=True)
        for part in _fitting(one, tokenizer, most=most)
    ]
