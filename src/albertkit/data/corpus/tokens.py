"""Chunks of text to token ids, in this process or in several; results come in the order of the chunks."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from albertkit.data.corpus.documents import Chunk, split_documents
from albertkit.data.corpus.sentences import split_sentences
from albertkit.data.corpus.shards import token_dtype
from albertkit.errors import RunError
from albertkit.hardware.worker_pool import worker_pool
from albertkit.text.tokenizer import Tokenizer

SENTENCES = ("split", "line")
"""How paragraphs become sentences: by the rules of sentences.py, or each line is one."""


class ChunkTokens(NamedTuple):
    """The tokens of a chunk."""

    tokens: npt.NDArray[Any]
    """Ids of all sentences, one after the other, `[tokens]`."""
    sentence_lengths: npt.NDArray[np.int64]
    """Tokens of each sentence, 1 or more, `[sentences]`."""
    sentences: npt.NDArray[np.int64]
    """Sentences of each group of `split_documents`, `[groups]`."""
    paragraphs: npt.NDArray[np.int64]
    """Paragraphs of each group, those without sentences too, `[groups]`."""
    counts: dict[str, int]
    """Oddities by name: bad_bytes, control_characters, empty_sentences."""


class ChunkTokenizer:
    """Splits the text of chunks into documents, sentences and tokens.

    Args:
        tokenizer: what splits a sentence.
        sentences: one of SENTENCES.
    """

    def __init__(self, tokenizer: Tokenizer, *, sentences: str) -> None:
        self.normalization = tokenizer.normalization
        self.vocabulary = tokenizer.vocabulary
        self.dtype = token_dtype(tokenizer.vocab_size)
        self.split = sentences == "split"

    def __call__(self, text: bytes, *, mid_line: bool = False) -> ChunkTokens:
        """Return the tokens of a chunk's text.

        Args:
            text: see `split_documents`.
            mid_line: see `split_documents`.
        """
        groups, odd = split_documents(text, mid_line=mid_line)
        apply = self.normalization.apply
        texts: list[str] = []
        ends = []
        for group in groups:
            if self.split:
                texts += [apply(sentence) for paragraph in group for sentence in split_sentences(paragraph)]
            else:
                texts += [apply(paragraph) for paragraph in group]
            ends.append(len(texts))
        rows = self.vocabulary.split_batch(texts, digit_comma=self.normalization.digit_comma, threads=1)
        lengths = np.fromiter(map(len, rows), np.int64, len(rows))
        tokens = np.fromiter(chain.from_iterable(rows), self.dtype, int(lengths.sum()))
        kept = np.concatenate([[0], np.cumsum(lengths > 0)])
        sentences = np.diff(kept[[0, *ends]])
        return ChunkTokens(
            tokens=tokens,
            sentence_lengths=lengths[lengths > 0],
            sentences=sentences.astype(np.int64),
            paragraphs=np.array([len(group) for group in groups], np.int64),
            counts={**odd._asdict(), "empty_sentences": len(rows) - int(kept[-1])},
        )


def tokenize_chunks(
    chunks: Iterable[Chunk], *, tokenizer: Tokenizer, sentences: str, processes: int
) -> Generator[tuple[Chunk, ChunkTokens], None, None]:
    """Yield each chunk, without its text, and its tokens, in order; few chunks wait at any time.

    Args:
        chunks: read as they are needed.
        tokenizer: what splits a sentence.
        sentences: one of SENTENCES.
        processes: 1 runs in this process; a larger number starts as many worker processes.

    Raises:
        RunError: a worker died.
    """
    if processes == 1:
        tokenize = ChunkTokenizer(tokenizer, sentences=sentences)
        for chunk in chunks:
            yield replace(chunk, text=b""), tokenize(chunk.text, mid_line=chunk.mid_line)
        return
    pool = worker_pool(
        processes, begin=_begin, arguments=(tokenizer.model, tokenizer.mode, tokenizer.keep_accents, sentences)
    )
    waiting: deque[tuple[Chunk, Future[ChunkTokens]]] = deque()
    try:
        for chunk in chunks:
            waiting.append((replace(chunk, text=b""), pool.submit(_work, chunk.text, chunk.mid_line)))
            if len(waiting) > 2 * processes:
                done, future = waiting.popleft()
                yield done, future.result()
        while waiting:
            done, future = waiting.popleft()
            yield done, future.result()
    except BrokenProcessPool as error:
        raise RunError(
            "a worker process died, perhaps for lack of memory; the same command continues from the last finished "
            "shard, with fewer --processes if need be"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_tokenizer: ChunkTokenizer | None = None  # of a worker process


def _begin(model: bytes, mode: str, keep_accents: bool, sentences: str) -> None:
    global _tokenizer
    _tokenizer = ChunkTokenizer(Tokenizer(model, mode=mode, keep_accents=keep_accents), sentences=sentences)


def _work(text: bytes, mid_line: bool) -> ChunkTokens:
    assert _tokenizer is not None
    return _tokenizer(text, mid_line=mid_line)
