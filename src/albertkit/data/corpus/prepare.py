"""Preparing a corpus for pretraining: raw text to shards, streaming, over several processes, resumable.

    files -> read_chunks -> [workers: documents -> sentences -> ids] -> ShardWriter, Journal
             main process    ChunkTokenizer, in the order of the text    main process

The shards depend only on the text and the settings, not on the number of processes or on interruptions.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import numpy as np

from albertkit.data.corpus.documents import CHUNK_BYTES, read_chunks
from albertkit.data.corpus.inputs import Input, TextRules, find_inputs
from albertkit.data.corpus.journal import Journal
from albertkit.data.corpus.shards import PROGRESS, ShardWriter
from albertkit.data.corpus.tokens import SENTENCES, ChunkTokens, tokenize_chunks
from albertkit.errors import DataError, UsageError
from albertkit.hardware.worker_pool import available_processes
from albertkit.io.decoding import check_encoding
from albertkit.io.locks import locked
from albertkit.io.progress import Progress, Silent
from albertkit.text.tokenizer import Tokenizer
from albertkit.text.vocabulary import SPECIALS

SHARD_TOKENS = 16_000_000
"""Tokens after which a shard ends, with the document and the chunk of text that are being read."""

BAD_BYTES = ("refuse", "replace")
"""What becomes of bytes that are not of the encoding."""

_WORTH_A_PROCESS = 4 << 20  # bytes; below, starting a worker costs more than it saves


def prepare(
    inputs: Iterable[str | os.PathLike[str]],
    *,
    out: str | os.PathLike[str],
    tokenizer: Tokenizer,
    max_length: int = 512,
    sentences: str = "split",
    shard_tokens: int = SHARD_TOKENS,
    chunk_bytes: int = CHUNK_BYTES,
    processes: int | None = None,
    encoding: str | None = None,
    bad_bytes: str = "refuse",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write the shards of some text, or go on where the same call was stopped.

    Several processes start fresh interpreters, so a script that calls this needs `if __name__ == "__main__":`.

    Args:
        inputs: text files, plain, .gz or .xz; folders of them; "-" for standard input. Blank lines, and the ends of
            files, end documents; every other line is a paragraph.
        out: the folder for the shards; `Corpus.open` reads it.
        tokenizer: what splits the sentences; a copy goes into the folder.
        max_length: tokens of a sequence, the default of a pretraining on these shards; nothing is cut here.
        sentences: "split" finds the sentences of a paragraph, "line" takes each line as one.
        shard_tokens: tokens after which a shard ends.
        chunk_bytes: bytes of text that a worker gets at a time; a longer line is split.
        processes: number of workers; one per available core by default.
        encoding: encoding of the text, such as cp1252; None uses the byte order mark of each file, else UTF-8.
        bad_bytes: "refuse" stops at a byte that is not of the encoding; "replace" replaces what is not UTF-8 and counts
            the lines.
        progress: gets the progress reports.

    Returns:
        `documents`, `sentences`, `tokens`, `shards`, `bytes` (of text, decompressed), `seconds` (of this call) and
        `counts` of oddities: `empty_documents` and `empty_sentences` (without any token), `empty_files`, `bad_bytes`
        (lines with bytes that are not UTF-8, where they are replaced), `control_characters` (replaced by spaces),
        `split_lines`.

    Raises:
        UsageError: an argument that cannot be.
        CheckpointError: the vocabulary has no [CLS], [SEP] or [MASK].
        DataError: an input cannot be read, or there is no text in any.
        RunError: the folder holds something else or shards of another text, or a worker died.
        WriteError: the system refused.
    """
    started = time.perf_counter()
    progress = progress or Silent()
    if sentences not in SENTENCES:
        raise UsageError(f'sentences is "{sentences}"; it must be {" or ".join(SENTENCES)}')
    limits = (("max-length", max_length, 5), ("shard-tokens", shard_tokens, 1), ("chunk-bytes", chunk_bytes, 16))
    for name, value, least in (*limits, ("processes", 1 if processes is None else processes, 1)):
        if value < least:
            raise UsageError(f"{name} is {value}; it must be {least} or more")
    if bad_bytes not in BAD_BYTES:
        raise UsageError(f'bad-bytes is "{bad_bytes}"; it must be {" or ".join(BAD_BYTES)}')
    if bad_bytes == "replace" and encoding is not None and check_encoding(encoding) != "utf-8":
        raise UsageError(
            f"bad-bytes replace works only with UTF-8, but the encoding is {encoding}; leave out one of the two"
        )
    rules = TextRules(encoding, bad_bytes == "replace")
    for piece in SPECIALS:
        tokenizer.vocabulary.special_id(piece)
    sources = find_inputs([inputs] if isinstance(inputs, str | os.PathLike) else inputs, rules)
    settings = {
        "tokenizer": {
            "sha256": hashlib.sha256(tokenizer.model).hexdigest(),
            "mode": tokenizer.mode,
            "keep_accents": tokenizer.keep_accents,
            "vocab_size": tokenizer.vocab_size,
        },
        "max_length": max_length,
        "sentence_rule": sentences,
        "shard_tokens": shard_tokens,
        "chunk_bytes": chunk_bytes,
        "encoding": encoding,
    }
    with locked(out):
        journal = Journal.open(Path(out), settings=settings, sources=sources, progress=progress)
        if journal.complete:
            progress.report(f"{out}: already complete, from the same text with the same settings")
        else:
            tokenizer.save(journal.folder / "tokenizer")
            _write_shards(
                journal,
                tokenizer=tokenizer,
                rules=rules,
                processes=processes or _useful_processes(sources),
                progress=progress,
            )
    return {
        "documents": journal.totals["documents"],
        "sentences": journal.totals["sentences"],
        "tokens": journal.totals["tokens"],
        "shards": len(journal.shards),
        "bytes": journal.totals["bytes"],
        "seconds": round(time.perf_counter() - started, 3),
        "counts": dict(journal.counts),
    }


def _write_shards(
    journal: Journal, *, tokenizer: Tokenizer, rules: TextRules, processes: int, progress: Progress
) -> None:
    settings = journal.settings
    chunks = read_chunks(journal.sources, chunk_bytes=settings["chunk_bytes"], start=journal.position, rules=rules)
    results = tokenize_chunks(chunks, tokenizer=tokenizer, sentences=settings["sentence_rule"], processes=processes)
    writer = ShardWriter(journal.folder, vocab_size=tokenizer.vocab_size, number=len(journal.shards))
    unfinished = _OpenDocument()
    started, before = time.perf_counter(), journal.totals["bytes"]
    try:
        with (
            progress.bar("preparing", total=sum(source.size for source in journal.sources)) as advance,
            closing(results),
        ):
            advance(sum(entry["bytes"] for entry in journal.inputs))
            for chunk, result in results:
                lengths, empty = unfinished.add(result, ends=bool(chunk.finished))
                writer.add(result.tokens, sentence_lengths=result.sentence_lengths, document_lengths=lengths)
                counts = {
                    "documents": len(lengths),
                    "empty_documents": empty,
                    "sentences": len(result.sentence_lengths),
                    "tokens": len(result.tokens),
                }
                journal.take(chunk, counts={**counts, **result.counts})
                rate = (journal.totals["bytes"] - before) / (time.perf_counter() - started) / 1e6
                advance(chunk.raw_bytes, info=f"{journal.totals['tokens'] / 1e6:.1f}M tokens, {rate:.1f} MB/s")
                if writer.tokens >= settings["shard_tokens"] and not unfinished.paragraphs:
                    journal.shards.append(writer.finish())
                    journal.save()
        if writer.tokens:
            journal.shards.append(writer.finish())
    finally:
        writer.close()
    if not journal.shards:
        (journal.folder / PROGRESS).unlink()
        shutil.rmtree(journal.folder / "tokenizer")
        with suppress(OSError):  # it held something before
            journal.folder.rmdir()
        where = f"{journal.sources[0].path or 'standard input'}" + " and the other files" * (len(journal.sources) > 1)
        raise DataError(f"{where}: no tokens in {journal.totals['bytes']} bytes; give files with text")
    journal.finish()


class _OpenDocument:
    """The document that the next chunk may go on with."""

    def __init__(self) -> None:
        self.sentences = self.paragraphs = 0

    def add(self, result: ChunkTokens, *, ends: bool) -> tuple[np.ndarray[Any, np.dtype[np.int64]], int]:
        """Return the sentences of each document that is complete now, and how many had none."""
        sentences, paragraphs = result.sentences.copy(), result.paragraphs.copy()
        sentences[0] += self.sentences
        paragraphs[0] += self.paragraphs
        self.sentences = self.paragraphs = 0
        if not ends:
            self.sentences, self.paragraphs = int(sentences[-1]), int(paragraphs[-1])
            sentences, paragraphs = sentences[:-1], paragraphs[:-1]
        return sentences[sentences > 0], int(((sentences == 0) & (paragraphs > 0)).sum())


def _useful_processes(sources: list[Input]) -> int:
    cores = available_processes()
    if any(source.path is None for source in sources):
        return cores
    return min(cores, 1 + sum(source.size for source in sources) // _WORTH_A_PROCESS)
