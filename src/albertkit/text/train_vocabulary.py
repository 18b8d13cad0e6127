"""Training a SentencePiece vocabulary with the settings that the official one records in itself."""

from __future__ import annotations

import os
import random
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import sentencepiece

from albertkit.errors import AlbertkitError, DataError, UsageError
from albertkit.io.counts import counted_noun
from albertkit.io.decoding import file_blocks, text_lines
from albertkit.io.files import WriteError, atomic_folder
from albertkit.io.progress import Progress, Silent, counted
from albertkit.text.normalize import normalization
from albertkit.text.tokenizer import Tokenizer

SENTENCES = 10_000_000
"""Sentences that the official vocabulary was trained on at most."""

THREADS = 16
"""Threads of the official training; sums in another number of parts round differently and give other scores."""

SEED = 12345

SETTINGS: Mapping[str, Any] = {
    "model_type": "unigram",
    "input_format": "",
    "pad_id": 0,
    "unk_id": 1,
    "bos_id": -1,
    "eos_id": -1,
    "pad_piece": "<pad>",
    "unk_piece": "<unk>",
    "bos_piece": "<s>",
    "eos_piece": "</s>",
    "unk_surface": " \u2047 ",
    "control_symbols": ["[CLS]", "[SEP]", "[MASK]"],
    "user_defined_symbols": ["(", ")", '"', "-", ".", "\u2013", "\u00a3", "\u20ac"],
    "character_coverage": 0.99995,
    "max_sentence_length": 4192,
    "max_sentencepiece_length": 16,
    "seed_sentencepiece_size": 1_000_000,
    "shrinking_factor": 0.75,
    "num_sub_iterations": 2,
    "shuffle_input_sentence": True,
    "split_by_unicode_script": True,
    "split_by_whitespace": True,
    "split_by_number": True,
    "treat_whitespace_as_suffix": False,
    "hard_vocab_limit": True,
    "use_all_vocab": False,
    "normalization_rule_name": "nmt_nfkc",
    "add_dummy_prefix": True,
    "remove_extra_whitespaces": True,
}
"""What `30k-clean.model` records, all but sizes and names of files."""

FIRST_PIECES = ("<pad>", "<unk>", *SETTINGS["control_symbols"], *SETTINGS["user_defined_symbols"])
"""Pieces of the ids 0 to 12, in every vocabulary of ALBERT."""

_LONGEST = int(SETTINGS["max_sentence_length"])  # bytes; sentencepiece skips longer ones
# A decomposed character has up to three times its bytes (Hangul): a part of this size fits after normalisation.
_LONGEST_PART = _LONGEST // 3
_RESERVED = "\u2585"  # sentencepiece's own sign for a rare character: it skips sentences that hold it
_TOO_LARGE = re.compile(r"Vocabulary size too high \(\d+\)\. Please set it to a value <= (\d+)")
_TOO_SMALL = re.compile(r"Vocabulary size is smaller than required_chars\. \d+ vs (\d+)")


@dataclass(frozen=True)
class TrainedVocabulary:
    """What a training made."""

    pieces: int
    """Size of the vocabulary."""
    sentences: int
    """Sentences that it was trained on: lines, those of more than 1,397 bytes in parts."""
    left_out: int
    """Sentences that sentencepiece cannot take: a word of more than 4,192 bytes, or U+2585, which it reserves."""
    seconds: float
    """How long it took."""
    files: tuple[str, ...]
    """Names of the files that were written."""


def train_vocabulary(
    files: Sequence[str | os.PathLike[str]],
    *,
    out: str | os.PathLike[str],
    size: int,
    sentences: int = SENTENCES,
    seed: int = SEED,
    threads: int = THREADS,
    encoding: str | None = None,
    progress: Progress | None = None,
) -> TrainedVocabulary:
    """Train a vocabulary on text files and write it as a tokenizer folder, whole or not at all.

    Each line is normalised as the tokenizer does it (spaces, accents, lower case) and passed to sentencepiece without a
    temporary file. The settings are those of the official vocabulary. The `nmt_nfkc` table is from the installed
    sentencepiece, which knows newer characters than the official one. Equal input, seed, threads and version of
    sentencepiece give equal bytes.

    Args:
        files: text files in UTF-8, best with one sentence per line; blank lines are ignored. They are read twice.
        out: folder to write, for `load_tokenizer` and for transformers.
        size: pieces of the vocabulary, the 13 fixed ones included.
        sentences: of more than so many, as many are drawn at random.
        seed: random seed of this draw.
        threads: threads of sentencepiece.
        encoding: encoding of the files; None uses the byte order mark of each file, else UTF-8.
        progress: gets the progress reports.

    Raises:
        WriteError: `out` exists and is not empty, or cannot be written.
        UsageError: an invalid number, or a size that is too large or too small for this text.
        DataError: a file that is not there or not of its encoding, or files without text.
    """
    started = time.perf_counter()
    progress = progress or Silent()
    for name, value, least in (
        ("size", size, len(FIRST_PIECES) + 1),
        ("sentences", sentences, 1),
        ("threads", threads, 1),
    ):
        if value < least:
            raise UsageError(f"--{name} is {value}; it must be {least} or more")
    target, paths = Path(out), [Path(file) for file in files]
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise WriteError(f"{target} exists and is not empty; give another --out")
    for path in paths:
        if not path.is_file():  # nor a pipe, which cannot be read twice
            raise DataError(f"{path}: there is no such file")
    progress.report(f"counting the sentences of {counted_noun(len(paths), 'file')}")
    total = sum(1 for path in paths for _ in _raw_sentences(path, encoding))
    if not total:
        raise DataError(f"{', '.join(map(str, paths))}: no text to train on; every line is blank")
    used = min(total, sentences)
    feed = _Feed(paths, total=total, wanted=used, seed=seed, encoding=encoding)
    with progress.bar("reading", total=used) as advance:
        feed.advance = counted(advance)
        feed.when_read = lambda: progress.report(f"training {size:,} pieces on {used - feed.left_out:,} sentences")
        model = _in_a_thread(lambda: _train(feed, size=size, sentences=sentences, threads=threads))
    tokenizer = Tokenizer(model, where=str(target))
    assert tuple(tokenizer.vocabulary.pieces[: len(FIRST_PIECES)]) == FIRST_PIECES
    with atomic_folder(target) as temporary:
        written = tokenizer.save(temporary)
    seconds = time.perf_counter() - started
    return TrainedVocabulary(tokenizer.vocab_size, used - feed.left_out, feed.left_out, seconds, tuple(written))


class _Feed:
    """The sentences for sentencepiece, once: `wanted` of `total`, each choice equally likely, in their order."""

    def __init__(
        self, paths: Sequence[Path], *, total: int, wanted: int, seed: int, encoding: str | None = None
    ) -> None:
        self.paths, self.encoding, self.total, self.wanted = paths, encoding, total, wanted
        self.random = random.Random(seed)
        self.left_out = 0
        self.advance: Callable[[int], None] = lambda _: None
        self.when_read: Callable[[], None] = lambda: None
        self.error: AlbertkitError | None = None

    def __iter__(self) -> Iterator[str]:
        try:
            yield from self._sentences()
        except AlbertkitError as error:  # sentencepiece would hand on its text, in a sentence of its own
            self.error = error
            raise
        self.when_read()

    def _sentences(self) -> Iterator[str]:
        steps = normalization("google")
        seen = chosen = 0
        for path in self.paths:
            for raw in _raw_sentences(path, self.encoding):
                seen += 1
                if self.random.random() * (self.total - seen + 1) >= self.wanted - chosen:
                    continue
                chosen += 1
                self.advance(1)
                sentence = steps.apply(raw.decode("utf-8"))
                if not sentence or len(sentence.encode("utf-8")) > _LONGEST or _RESERVED in sentence:
                    self.left_out += 1
                    continue
                yield sentence


def _raw_sentences(path: Path, encoding: str | None) -> Iterator[bytes]:
    """Yield the UTF-8 bytes of each line with text, a long one in parts of whole words."""
    try:
        with open(path, "rb") as file:
            for line in text_lines(file_blocks(file), where=str(path), encoding=encoding):
                rest = line.encode().strip()
                while len(rest) > _LONGEST_PART:
                    # No piece reaches over a space: no word is lost in cutting there.
                    end = rest.rfind(b" ", 0, _LONGEST_PART)
                    end = rest.find(b" ", _LONGEST_PART) if end < 0 else end
                    if end < 0:
                        break
                    yield rest[:end]
                    rest = rest[end:].strip()
                if rest:
                    yield rest
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error


def _train(feed: _Feed, *, size: int, sentences: int, threads: int) -> bytes:
    model = BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(feed),
            model_writer=model,
            vocab_size=size,
            input_sentence_size=max(sentences, SENTENCES),  # the choice is made already
            num_threads=threads,
            minloglevel=2,
            **SETTINGS,
        )
    except Exception as error:  # the library's own class differs between releases
        if feed.error is not None:
            raise feed.error from error
        raise _explained(str(error), size=size, read=feed.wanted - feed.left_out, feed=feed) from error
    return model.getvalue()


def _explained(message: str, *, size: int, read: int, feed: _Feed) -> AlbertkitError:
    where = ", ".join(map(str, feed.paths))
    if not read:
        return DataError(
            f"{where}: no sentence to train on; all {feed.left_out} hold a word of more than {_LONGEST} bytes or U+2585"
        )
    if found := _TOO_LARGE.search(message):
        return UsageError(
            f"--size {size} is too large for {read:,} sentences, which have {found[1]} pieces at most; "
            f"give --size {found[1]} or less, or more text"
        )
    if found := _TOO_SMALL.search(message):
        return UsageError(
            f"--size {size} is too small: the characters of this text and the fixed pieces are {found[1]}; "
            f"give --size {found[1]} or more"
        )
    return DataError(f"{where}: sentencepiece could not train on it ({' '.join(message.split())})")


def _in_a_thread(work: Callable[[], bytes]) -> bytes:
    """Return the result of work that keeps Python waiting, so that Ctrl-C is heard meanwhile."""
    outcome: list[bytes | BaseException] = []

    def run() -> None:
        try:
            outcome.append(work())
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join()
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]
