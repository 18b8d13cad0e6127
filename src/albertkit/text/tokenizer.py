"""Tokenizer: text -> pieces, ids and offsets, the way ALBERT's authors did it, or as one of the compatibility modes.

The sentencepiece library splits; what stands here is around it: normalisation (`normalize.py`), the rule for digits and
commas, spans of the original text, special tokens, batches. Text is always text: a literal "[MASK]" is six ordinary
characters unless it is allowed by name.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from importlib import resources

import numpy as np
import numpy.typing as npt

from albertkit.batch import Batch, Sequence
from albertkit.errors import CheckpointError, UsageError, did_you_mean
from albertkit.text.encoding import Encoding, Tokens, checked_text, join_tokens, special_parts
from albertkit.text.normalize import normalization
from albertkit.text.offsets import piece_offsets
from albertkit.text.sequences import build_sequence, token_budget, truncated_lengths
from albertkit.text.vocabulary import SPECIALS, Vocabulary

_SPACE = "\u2581"


class Tokenizer:
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
        model = (resources.files("albertkit") / "assets" / "30k-clean.model").read_bytes()
        return cls(model, mode=mode, keep_accents=keep_accents, where="the official vocabulary")

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
        try:
            with open(path, "rb") as file:
                model = file.read()
        except OSError as error:
            raise CheckpointError(f"{os.fspath(path)}: cannot be read ({error.strerror})") from error
        return cls(model, mode=mode, keep_accents=keep_accents, where=os.fspath(path))

    @classmethod
    def load(
        cls, folder: str | os.PathLike[str], *, mode: str | None = None, keep_accents: bool | None = None
    ) -> Tokenizer:
        """Read the tokenizer of a Hugging Face directory.

        Args:
            folder: the directory with `spiece.model`.
            mode: see the class; what the directory records when left out, else google.
            keep_accents: see the class; what the directory records when left out.

        Raises:
            CheckpointError: no SentencePiece model is there, or its settings cannot be followed.
        """
        from albertkit.text.directory import read_directory

        return read_directory(folder, mode=mode, keep_accents=keep_accents)

    def save(self, folder: str | os.PathLike[str]) -> list[str]:
        """Write `spiece.model`, `tokenizer.json` and their settings into a folder, for transformers and for `load`.

        Args:
            folder: the directory, which is made where it is missing.

        Returns:
            The names of the files.

        Raises:
            WriteError: the system refused.
        """
        from albertkit.text.directory import write_directory

        return write_directory(folder, tokenizer=self)

    @property
    def vocab_size(self) -> int:
        """Number of pieces."""
        return len(self.vocabulary.pieces)

    @property
    def scores(self) -> npt.NDArray[np.float64]:
        """Log probability of each piece by id, `[vocab_size]`; 0 for special and user-defined pieces."""
        return self.vocabulary.scores

    @property
    def pad_id(self) -> int:
        """Id of <pad>."""
        return self.vocabulary.special_id("<pad>")

    @property
    def unk_id(self) -> int:
        """Id of <unk>."""
        return self.vocabulary.unk_id

    @property
    def cls_id(self) -> int:
        """Id of [CLS]."""
        return self.vocabulary.special_id("[CLS]")

    @property
    def sep_id(self) -> int:
        """Id of [SEP]."""
        return self.vocabulary.special_id("[SEP]")

    @property
    def mask_id(self) -> int:
        """Id of [MASK]."""
        return self.vocabulary.special_id("[MASK]")

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

    def pieces(self, ids: Iterable[int]) -> list[str]:
        """Return the pieces of ids.

        Raises:
            UsageError: an id outside the vocabulary.
        """
        numbers = [int(number) for number in ids]
        for number in numbers:
            if not 0 <= number < self.vocab_size:
                raise UsageError(f"id {number} is outside the vocabulary, whose ids are 0 to {self.vocab_size - 1}")
        return [self.vocabulary.pieces[number] for number in numbers]

    def decode(self, ids: Iterable[int], *, skip_specials: bool = True) -> str:
        """Return the text of ids; lower case and spacing are those of the normalised text, <unk> stays visible.

        Args:
            ids: token ids.
            skip_specials: leave out <pad>, [CLS], [SEP] and [MASK].

        Raises:
            UsageError: an id outside the vocabulary.
        """
        hidden = {piece for piece in SPECIALS if piece != "<unk>"} if skip_specials else set()
        return "".join(piece for piece in self.pieces(ids) if piece not in hidden).replace(_SPACE, " ").strip()

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
            allow_special: special tokens that count as such where they stand in a text, e.g. {"[MASK]"}.

        Raises:
            TextError: a text is not a str, or has a lone surrogate.
            UsageError: max_length has no room for the special tokens, or a name in allow_special is unknown.
        """
        for name in allow_special:
            if name not in SPECIALS:
                raise UsageError(f'"{name}" is not a special token{did_you_mean(name, SPECIALS)}')
        texts = [text] if pair is None else [text, pair]
        rows = [self._tokens(checked_text(each, number=number), allow_special) for number, each in enumerate(texts)]
        lengths = [len(row.ids) for row in rows]
        budget = token_budget(max_length, num_specials=len(rows) + 1 if specials else 0)
        kept = lengths
        if budget is not None:
            kept = list(truncated_lengths(lengths[0], lengths[1] if pair is not None else 0, budget=budget))
        around = (self.cls_id, self.sep_id) if specials else None
        return join_tokens(rows, kept=kept, around=around)

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
            threads: threads of sentencepiece; all that this process may use when left out.

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

    def __call__(
        self,
        texts: str | Iterable[str],
        pairs: str | Iterable[str] | None = None,
        *,
        max_length: int | None = 512,
    ) -> Batch:
        """Tokenise texts or pairs into one packed batch.

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

    def _batch_ids(self, texts: list[str], threads: int | None) -> list[list[int]]:
        clean = [self.normalization.apply(checked_text(text, number=number)) for number, text in enumerate(texts)]
        return self.vocabulary.split_batch(clean, digit_comma=self.normalization.digit_comma, threads=threads)

    def _tokens(self, text: str, allow_special: Collection[str]) -> Tokens:
        tokens = Tokens([], [], [])
        for start, end, special in special_parts(text, allow_special):
            part = text[start:end]
            if special:
                tokens.ids.append(self.vocabulary.special_id(part))
                tokens.pieces.append(part)
                tokens.offsets.append((start, end))
                continue
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
            tokens.ids.extend(ids)
            tokens.pieces.extend(pieces)
            tokens.offsets.extend(spans if start == 0 else [(start + first, start + last) for first, last in spans])
        return tokens
