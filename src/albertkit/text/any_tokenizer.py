"""AnyTokenizer: what every tokenizer of an ALBERT model does, whatever splits its text into pieces.

A tokenizer gives the pieces of a text. What all of them share is here: special tokens, pairs, truncation, batches and
saving.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from albertkit.batching.batch import Batch, Sequence
from albertkit.errors import UsageError, did_you_mean
from albertkit.text.encoding import Encoding, Tokens, checked_text, join_tokens, special_parts
from albertkit.text.saved_folder import write_tokenizer_files
from albertkit.text.self_test_record import self_test_record
from albertkit.text.sequences import build_sequence, token_budget, truncated_lengths


class AnyTokenizer(ABC):
    """Text -> pieces, ids and offsets; there are `Tokenizer` (SentencePiece), `WordPieceTokenizer` (vocab.txt) and
    `JsonTokenizer` (a tokenizer.json without either).

    Text is always text: a literal "[MASK]" is six ordinary characters unless it is allowed by name.
    """

    model: bytes
    """The file that holds the vocabulary, as bytes."""
    mode: str
    """Whose ids it reproduces."""
    keep_accents: bool
    """Whether accents stay where the mode drops them."""
    vocabulary_file: ClassVar[str]
    """Name of the vocabulary in a Hugging Face directory."""
    specials: tuple[str, str, str, str, str]
    """The special pieces: padding, unknown, [CLS], [SEP], [MASK]."""

    def save(self, folder: str | os.PathLike[str]) -> list[str]:
        """Write the vocabulary, `tokenizer.json` and their settings, for transformers and for `load_tokenizer`.

        Args:
            folder: the directory, which is made where it is missing.

        Returns:
            The names of the files.

        Raises:
            WriteError: the system refused.
        """
        return write_tokenizer_files(
            Path(folder),
            vocabulary=(self.vocabulary_file, self.model),
            content=self.json_content(),
            steps=self._steps(),
            specials=self.specials,
            record={
                "mode": self.mode,
                "keep_accents": self.keep_accents,
                "self_test": self_test_record(self.model, self.plain_ids),
            },
        )

    @property
    @abstractmethod
    def all_pieces(self) -> list[str]:
        """The pieces by id."""

    @property
    @abstractmethod
    def scores(self) -> npt.NDArray[np.float64]:
        """Log probability of each piece by id, `[vocab_size]`; 0 for special and user-defined pieces.

        Raises:
            UsageError: a WordPiece vocabulary, which has none.
        """

    @abstractmethod
    def special_id(self, piece: str) -> int:
        """Return the id of a special piece.

        Raises:
            CheckpointError: the vocabulary has no such piece.
        """

    @abstractmethod
    def tokenize(self, text: str) -> list[str]:
        """Return the pieces of a text, without special tokens.

        Raises:
            TextError: not a str, or a lone surrogate in it.
        """

    @abstractmethod
    def ids(self, pieces: Iterable[str]) -> list[int]:
        """Return the ids of pieces; the id of the unknown piece for those that the vocabulary does not hold."""

    @abstractmethod
    def json_content(self) -> dict[str, Any] | None:
        """Return the content of `tokenizer.json`; None where that file is the vocabulary."""

    @abstractmethod
    def _steps(self) -> dict[str, Any]:
        """Return the entries of `tokenizer_config.json` that describe the text's processing."""

    @abstractmethod
    def _text_of(self, pieces: list[str]) -> str: ...

    @abstractmethod
    def _part_tokens(self, part: str) -> Tokens: ...

    @abstractmethod
    def _batch_ids(self, texts: list[str], threads: int | None) -> list[list[int]]: ...

    @property
    def vocab_size(self) -> int:
        """Number of pieces."""
        return len(self.all_pieces)

    @property
    def pad_id(self) -> int:
        """Id of the padding piece, <pad> or [PAD]."""
        return self.special_id(self.specials[0])

    @property
    def unk_id(self) -> int:
        """Id of the unknown piece, <unk> or [UNK]."""
        return self.special_id(self.specials[1])

    @property
    def cls_id(self) -> int:
        """Id of [CLS]."""
        return self.special_id("[CLS]")

    @property
    def sep_id(self) -> int:
        """Id of [SEP]."""
        return self.special_id("[SEP]")

    @property
    def mask_id(self) -> int:
        """Id of [MASK]."""
        return self.special_id("[MASK]")

    def pieces(self, ids: Iterable[int]) -> list[str]:
        """Return the pieces of ids.

        Raises:
            UsageError: an id outside the vocabulary.
        """
        numbers = [int(number) for number in ids]
        for number in numbers:
            if not 0 <= number < self.vocab_size:
                raise UsageError(f"id {number} is outside the vocabulary, whose ids are 0 to {self.vocab_size - 1}")
        return [self.all_pieces[number] for number in numbers]

    def decode(self, ids: Iterable[int], *, skip_specials: bool = True) -> str:
        """Return the text of ids; case and spacing are those of the pieces, the unknown piece stays visible.

        Args:
            ids: token ids.
            skip_specials: leave out padding, [CLS], [SEP] and [MASK].

        Raises:
            UsageError: an id outside the vocabulary.
        """
        hidden = {piece for piece in self.specials if piece != self.specials[1]} if skip_specials else set()
        return self._text_of([piece for piece in self.pieces(ids) if piece not in hidden])

    def encode(
        self,
        text: str,
        pair: str | None = None,
        *,
        max_length: int | None = None,
        specials: bool = True,
        allow_special: Collection[str] = frozenset(),
    ) -> Encoding:
        """Tokenise one text or pair, with pieces and offsets.

        Args:
            text: the (first) text.
            pair: the second text, or None.
            max_length: tokens in all at most, the longer text losing tokens first; None for no limit.
            specials: put [CLS] and [SEP] around the texts.
            allow_special: special tokens that count as such where they occur in a text, e.g. {"[MASK]"}.

        Raises:
            TextError: a text is not a str, or has a lone surrogate.
            UsageError: max_length has no room for the special tokens, or a name in allow_special is unknown.
        """
        for name in allow_special:
            if name not in self.specials:
                raise UsageError(f'"{name}" is not a special token{did_you_mean(name, self.specials)}')
        texts = [text] if pair is None else [text, pair]
        rows = [self._tokens(checked_text(each, number=number), allow_special) for number, each in enumerate(texts)]
        lengths = [len(row.ids) for row in rows]
        budget = token_budget(max_length, num_specials=len(rows) + 1 if specials else 0)
        kept = lengths
        if budget is not None:
            kept = list(truncated_lengths(lengths[0], lengths[1] if pair is not None else 0, budget=budget))
        around = (self.cls_id, self.sep_id) if specials else None
        return join_tokens(rows, kept=kept, around=around)

    def plain_ids(self, text: str) -> list[int]:
        """Return the ids of one text without special tokens, as `encode` gives them."""
        return self.encode(text, specials=False).input_ids

    def ids_of(self, texts: Iterable[str], *, threads: int | None = None) -> list[list[int]]:
        """Return the ids of many texts, quickly, without special tokens, uncut and without offsets.

        Args:
            texts: any number.
            threads: number of threads of the library; default: all that this process may use.

        Raises:
            TextError: a text is not a str, or has a lone surrogate; the sentence holds its number, from 0.
        """
        return self._batch_ids(list(texts), threads)

    def sequences(
        self,
        texts: str | Iterable[str],
        pairs: str | Iterable[str] | None = None,
        *,
        max_length: int | None = 512,
        threads: int | None = None,
    ) -> list[Sequence]:
        """Tokenise many texts or pairs, quickly: `[CLS] a [SEP]` or `[CLS] a [SEP] b [SEP]`, without offsets.

        Args:
            texts: the (first) texts; one str counts as a list of one.
            pairs: the second texts, as many, or None.
            max_length: tokens of a sequence at most, the longer text losing tokens first; None for no limit.
            threads: threads of sentencepiece; default: all that this process may use. The tokenizers library,
                which splits WordPiece, counts its own.

        Raises:
            TextError: a text is not a str, or has a lone surrogate; the sentence holds its number, from 0.
            UsageError: as many pairs as texts are needed, or max_length has no room for the special tokens.
        """
        first = self._batch_ids([texts] if isinstance(texts, str) else list(texts), threads)
        second: list[list[int]] | None = None
        if pairs is not None:
            second = self._batch_ids([pairs] if isinstance(pairs, str) else list(pairs), threads)
            if len(first) != len(second):
                raise UsageError(f"{len(first)} texts and {len(second)} pairs were given; give one pair for each text")
        token_budget(max_length, num_specials=2 if second is None else 3)
        cls_id, sep_id = self.cls_id, self.sep_id
        return [
            build_sequence(ids, second[row] if second else None, max_length=max_length, cls_id=cls_id, sep_id=sep_id)
            for row, ids in enumerate(first)
        ]

    def sequences_of_ids(self, ids: Iterable[list[int]], *, max_length: int | None = 512) -> list[Sequence]:
        """Return texts that are token ids already as sequences: `[CLS] a [SEP]`.

        >>> from albertkit.text.tokenizer import Tokenizer
        >>> [one.input_ids.tolist() for one in Tokenizer.official().sequences_of_ids([[31, 23], [2, 31, 23, 3]])]
        [[2, 31, 23, 3], [2, 31, 23, 3]]

        Args:
            ids: the ids of each text, with [CLS] and [SEP] around them or without.
            max_length: tokens of a sequence at most; None for no limit.

        Raises:
            UsageError: an id outside the vocabulary, or max_length has no room for the special tokens.
        """
        token_budget(max_length, num_specials=2)
        cls_id, sep_id = self.cls_id, self.sep_id
        found = []
        for row in ids:
            self.pieces(row)
            has_specials = len(row) >= 2 and row[0] == cls_id and row[-1] == sep_id
            plain = row[1:-1] if has_specials else row
            found.append(build_sequence(plain, None, max_length=max_length, cls_id=cls_id, sep_id=sep_id))
        return found

    def __call__(
        self,
        texts: str | Iterable[str],
        pairs: str | Iterable[str] | None = None,
        *,
        max_length: int | None = 512,
    ) -> Batch:
        """Tokenise texts or pairs into one packed batch.

        >>> from albertkit.text.tokenizer import Tokenizer
        >>> Tokenizer.official()(["This is a test", "test"]).lengths.tolist()
        [6, 3]

        Args:
            texts: the (first) texts; one str counts as a list of one.
            pairs: the second texts, as many, or None.
            max_length: tokens of a sequence at most; None for no limit.

        Raises:
            TextError: see `sequences`.
            UsageError: see `sequences`.
        """
        return Batch.pack(self.sequences(texts, pairs, max_length=max_length))

    def _tokens(self, text: str, allow_special: Collection[str]) -> Tokens:
        tokens = Tokens([], [], [])
        for start, end, special in special_parts(text, allow_special):
            part = text[start:end]
            if special:
                tokens.ids.append(self.special_id(part))
                tokens.pieces.append(part)
                tokens.offsets.append((start, end))
                continue
            ids, pieces, spans = self._part_tokens(part)
            tokens.ids.extend(ids)
            tokens.pieces.extend(pieces)
            tokens.offsets.extend(spans if start == 0 else [(start + first, start + last) for first, last in spans])
        return tokens
