"""Tokenizer: text -> pieces, ids and offsets, the way ALBERT's authors did it, or as one of the compatibility modes.

The sentencepiece library splits. Around it are normalisation (`normalize.py`), the rule for digits and commas, and
spans of the original text. What all tokenizers share is in `any_tokenizer.py`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from albertkit.errors import UsageError
from albertkit.text.any_tokenizer import AnyTokenizer
from albertkit.text.encoding import Tokens, checked_text
from albertkit.text.normalize import normalization
from albertkit.text.offsets import piece_offsets
from albertkit.text.settings import read_bounded
from albertkit.text.tokenizer_json import tokenizer_json
from albertkit.text.vocabulary import SPECIALS, Vocabulary, official_vocabulary

_SPACE = "\u2581"


class Tokenizer(AnyTokenizer):
    """Splits text into the pieces of a SentencePiece vocabulary.

    Args:
        model: the SentencePiece model, as the bytes of its file.
        mode: whose ids to reproduce: google, huggingface, tfhub, keras or julia (ids count from 0 in all of them).
        keep_accents: leave out decomposition and the dropping of accents; keras and julia never do either.
        where: what an error message calls the model.

    Raises:
        CheckpointError: the bytes are not a SentencePiece model.
        UsageError: the mode is unknown.
    """

    specials = SPECIALS
    vocabulary_file = "spiece.model"

    def __init__(
        self, model: bytes, *, mode: str = "google", keep_accents: bool = False, where: str = "SentencePiece model"
    ) -> None:
        self.model = model
        self.mode = mode
        self.keep_accents = keep_accents
        self.normalization = normalization(mode, keep_accents=keep_accents)
        self.vocabulary = Vocabulary(model, where=where)

    @classmethod
    def official(cls, *, mode: str = "google", keep_accents: bool = False) -> Tokenizer:
        """Return a tokenizer with the vocabulary of all English ALBERT models, which comes with albertkit.

        >>> Tokenizer.official().tokenize("Unfriendly, 2,and!") == [
        ...     "\\u2581un", "friendly", ",", "\\u25812", ",", "and", "!"
        ... ]
        True

        Args:
            mode: see the class.
            keep_accents: see the class.
        """
        return cls(
            official_vocabulary().read_bytes(), mode=mode, keep_accents=keep_accents, where="the official vocabulary"
        )

    @classmethod
    def from_file(cls, path: str | os.PathLike[str], *, mode: str = "google", keep_accents: bool = False) -> Tokenizer:
        """Read a SentencePiece model file.

        Args:
            path: the file, e.g. `spiece.model` or `30k-clean.model`.
            mode: see the class.
            keep_accents: see the class.

        Raises:
            CheckpointError: the file cannot be read or is not a SentencePiece model.
        """
        return cls(read_bounded(path), mode=mode, keep_accents=keep_accents, where=os.fspath(path))

    @property
    def all_pieces(self) -> list[str]:
        """The pieces by id."""
        return self.vocabulary.pieces

    @property
    def scores(self) -> npt.NDArray[np.float64]:
        """Log probability of each piece by id, `[vocab_size]`; 0 for special and user-defined pieces."""
        return self.vocabulary.scores

    @property
    def unk_id(self) -> int:
        """Id of <unk>."""
        return self.vocabulary.unk_id

    def special_id(self, piece: str) -> int:
        """Return the id of a special piece.

        Raises:
            CheckpointError: the vocabulary has no such piece.
        """
        return self.vocabulary.special_id(piece)

    def tokenize(self, text: str) -> list[str]:
        """Return the pieces of a text, without special tokens.

        Raises:
            TextError: not a str, or a lone surrogate in it.
        """
        return self.vocabulary.split(
            self.normalization.apply(checked_text(text, number=0)), digit_comma=self.normalization.digit_comma
        )[1]

    def ids(self, pieces: Iterable[str]) -> list[int]:
        """Return the ids of pieces; the id of <unk> for those that the vocabulary does not hold."""
        return self.vocabulary.ids(pieces)

    def json_content(self) -> dict[str, Any]:
        return tokenizer_json(self.vocabulary, self.normalization)

    def _steps(self) -> dict[str, Any]:
        rules = self.normalization
        return {"do_lower_case": rules.case is not None, "keep_accents": rules.strip is None, "remove_space": True}

    def _text_of(self, pieces: list[str]) -> str:
        return "".join(pieces).replace(_SPACE, " ").strip()

    def _batch_ids(self, texts: list[str], threads: int | None) -> list[list[int]]:
        apply = self.normalization.apply_loosely if self.vocabulary.collapses_spaces else self.normalization.apply
        clean = [apply(checked_text(text, number=number)) for number, text in enumerate(texts)]
        return self.vocabulary.split_batch(clean, digit_comma=self.normalization.digit_comma, threads=threads)

    def _part_tokens(self, part: str) -> Tokens:
        clean = self.normalization.apply(part)
        ids, pieces = self.vocabulary.split(clean, digit_comma=self.normalization.digit_comma)
        # Plain ASCII with single spaces: the library only marks the words, and no Unicode rule can apply before it.
        plain = self.vocabulary.keeps_ascii and part.isascii() and clean.isprintable()
        plain = plain and (self.normalization.collapse or " ".join(clean.split()) == clean)
        spans = piece_offsets(
            pieces,
            length=len(part),
            aligned=None if plain and len(clean) == len(part) else self.normalization.align(part),
            normalize=None if plain else self.vocabulary.normalize,
        )
        return Tokens(ids, pieces, spans)


def with_sentencepiece(tokenizer: AnyTokenizer) -> Tokenizer:
    """Return the same tokenizer where it is one of SentencePiece, for the preparing of text to pretrain on.

    Raises:
        UsageError: it has another vocabulary.
    """
    if not isinstance(tokenizer, Tokenizer):
        raise UsageError(
            f"pretraining needs a SentencePiece vocabulary, and this model has a {tokenizer.vocabulary_file}; "
            "use an English model, or train your own with albertkit train-vocab"
        )
    return tokenizer
