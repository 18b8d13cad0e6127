"""WordPieceTokenizer: BERT's tokenizer with a `vocab.txt`, which the Chinese ALBERT models use.

The tokenizers library splits. What it does is the content of `tokenizer.json` (`wordpiece_json`), so what a saved
folder does elsewhere and what is done here is one thing. Google's rules (google-research/albert tokenization.py,
BasicTokenizer and WordpieceTokenizer) are not wholly those of the library's BertNormalizer, which drops unassigned and
private characters too, leaves a few ideographs unsplit and gives up on words of more than 100 characters: mode `google`
is the first, mode `huggingface` the second.
"""

from __future__ import annotations

import json
import os
import unicodedata
from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from albertkit.errors import CheckpointError, UsageError, did_you_mean
from albertkit.text.any_tokenizer import AnyTokenizer
from albertkit.text.encoding import Tokens, checked_text
from albertkit.text.settings import read_bounded
from albertkit.text.tokenizers_library import library_tokenizer

if TYPE_CHECKING:
    import tokenizers

WORDPIECE_MODES = ("google", "huggingface")
"""Compatibility modes of WordPiece: the other three are only for SentencePiece."""

WORDPIECE_SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
"""The special pieces of BERT's vocabularies."""

_CONTINUES = "##"
_LONGEST_WORD = {"google": 200, "huggingface": 100}  # characters; a longer one is unknown as a whole
# BERT's ideographs U+2B820 to U+2B91F, which the library's normalizer leaves out of its list.
_LEFT_OUT = "[\\x{2b820}-\\x{2b91f}]"


class WordPieceTokenizer(AnyTokenizer):
    """Splits text into the pieces of a WordPiece vocabulary; an unknown word is the one piece "[UNK]".

    Args:
        model: the content of `vocab.txt`, one piece a line, the id is the number of the line from 0.
        mode: the implementation whose ids to reproduce: google or huggingface.
        lower: turn text to lower case (`do_lower_case`), as all published Chinese models do.
        keep_accents: leave accents where lower-casing drops them; text that is not lower-cased keeps them anyway.
        where: what an error message calls the vocabulary.

    Raises:
        CheckpointError: not a WordPiece vocabulary.
        UsageError: the mode is unknown, or is one of SentencePiece.
        MissingExtraError: the tokenizers library is not installed.
    """

    specials = WORDPIECE_SPECIALS
    vocabulary_file = "vocab.txt"

    def __init__(
        self,
        model: bytes,
        *,
        mode: str = "google",
        lower: bool = True,
        keep_accents: bool = False,
        where: str = "vocab.txt",
    ) -> None:
        if mode not in WORDPIECE_MODES:
            raise UsageError(
                f'{where}: mode "{mode}" does not work with a WordPiece '
                f"vocabulary{did_you_mean(mode, WORDPIECE_MODES)} (its modes: {' or '.join(WORDPIECE_MODES)})"
            )
        self.model = model
        self.mode = mode
        self.lower = lower
        self.keep_accents = keep_accents
        self.where = where
        self._pieces = _read_pieces(model, where=where)
        # If a piece occurs twice, the last line counts, as in transformers.
        self._numbers = {piece: number for number, piece in enumerate(self._pieces)}
        if "[UNK]" not in self._numbers:
            raise CheckpointError(f"{where}: no line is [UNK], so this is not a WordPiece vocabulary; copy it again")

    @classmethod
    def from_file(
        cls, path: str | os.PathLike[str], *, mode: str = "google", lower: bool = True, keep_accents: bool = False
    ) -> WordPieceTokenizer:
        """Read a `vocab.txt`.

        Args:
            path: the file.
            mode: see the class.
            lower: see the class.
            keep_accents: see the class.

        Raises:
            CheckpointError: the file cannot be read or is not a WordPiece vocabulary.
        """
        return cls(read_bounded(path), mode=mode, lower=lower, keep_accents=keep_accents, where=os.fspath(path))

    @property
    def all_pieces(self) -> list[str]:
        """The pieces by id."""
        return self._pieces

    @property
    def scores(self) -> npt.NDArray[np.float64]:
        """WordPiece has none.

        Raises:
            UsageError: always.
        """
        raise UsageError(f"{self.where}: WordPiece vocabularies have no scores; only spiece.model does")

    def special_id(self, piece: str) -> int:
        """Return the id of a special piece.

        Raises:
            CheckpointError: the vocabulary has no such piece.
        """
        if piece not in self._numbers:
            raise CheckpointError(f"{self.where}: the vocabulary has no piece {piece}, so ALBERT cannot use it")
        return self._numbers[piece]

    def tokenize(self, text: str) -> list[str]:
        """Return the pieces of a text, without special tokens; "[UNK]" for a word that cannot be put together.

        Raises:
            TextError: not a str, or a lone surrogate in it.
        """
        return list(self._splitter.encode(checked_text(text, number=0), add_special_tokens=False).tokens)

    def ids(self, pieces: Iterable[str]) -> list[int]:
        """Return the ids of pieces; the id of [UNK] for those that the vocabulary does not hold."""
        unknown = self._numbers["[UNK]"]
        return [self._numbers.get(piece, unknown) for piece in pieces]

    @cached_property
    def _splitter(self) -> tokenizers.Tokenizer:
        # Without its special tokens: text is text here, and `encode` takes out those that are allowed.
        return library_tokenizer(json.dumps({**wordpiece_json(self), "added_tokens": []}), where=self.where)

    def json_content(self) -> dict[str, Any]:
        return wordpiece_json(self)

    def _steps(self) -> dict[str, Any]:
        strips = self.lower and not self.keep_accents
        return {"do_lower_case": self.lower, "strip_accents": strips, "tokenize_chinese_chars": True}

    def _text_of(self, pieces: list[str]) -> str:
        text = ""
        for piece in pieces:
            if piece.startswith(_CONTINUES) and text:
                text += piece.removeprefix(_CONTINUES)
            elif text and not (_is_wide(text[-1]) and _is_wide(piece[:1])):
                text += f" {piece}"
            else:
                text += piece
        return text

    def _part_tokens(self, part: str) -> Tokens:
        found = self._splitter.encode(part, add_special_tokens=False)
        return Tokens(list(found.ids), list(found.tokens), list(found.offsets))

    def _batch_ids(self, texts: list[str], threads: int | None) -> list[list[int]]:  # noqa: ARG002 - the library's own
        clean = [checked_text(text, number=number) for number, text in enumerate(texts)]
        return [list(row.ids) for row in self._splitter.encode_batch_fast(clean, add_special_tokens=False)]


def wordpiece_json(tokenizer: WordPieceTokenizer) -> dict[str, Any]:
    """Return the content of `tokenizer.json` for a WordPiece tokenizer.

    What cannot be the same there: a literal "[MASK]", "[PAD]", ... in a text is always the special token.
    """
    numbers = {piece: number for number, piece in enumerate(tokenizer.all_pieces)}
    specials = {piece: numbers[piece] for piece in WORDPIECE_SPECIALS if piece in numbers}
    google = tokenizer.mode == "google"
    bert = {
        "type": "BertNormalizer",
        "clean_text": not google,
        "handle_chinese_chars": True,
        "strip_accents": tokenizer.lower and not tokenizer.keep_accents,
        "lowercase": tokenizer.lower,
    }
    words: list[dict[str, Any]] = [{"type": "BertPreTokenizer"}]
    if google:
        pattern = {"Regex": _LEFT_OUT}
        words.append({"type": "Split", "pattern": pattern, "behavior": "Isolated", "invert": False})
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": number,
                "content": piece,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
            for piece, number in sorted(specials.items(), key=lambda entry: entry[1])
        ],
        "normalizer": {"type": "Sequence", "normalizers": [*(_google_cleaning() if google else []), bert]},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": words},
        "post_processor": _template(specials) if {"[CLS]", "[SEP]"} <= specials.keys() else None,
        "decoder": {"type": "WordPiece", "prefix": _CONTINUES, "cleanup": False},
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": _CONTINUES,
            "max_input_chars_per_word": _LONGEST_WORD[tokenizer.mode],
            "vocab": numbers,
        },
    }


def _google_cleaning() -> list[dict[str, Any]]:
    # _clean_text: categories Cc and Cf and two characters go, except three that count as spaces; Zs becomes a space.
    def replace(pattern: str, content: str) -> dict[str, Any]:
        return {"type": "Replace", "pattern": {"Regex": pattern}, "content": content}

    return [replace("[[\\p{Cc}\\p{Cf}\\x{fffd}]&&[^\\t\\n\\r]]", ""), replace("[\\t\\n\\r\\p{Zs}]", " ")]


def _template(specials: dict[str, int]) -> dict[str, Any]:
    cls, sep = ["[CLS]", specials["[CLS]"]], ["[SEP]", specials["[SEP]"]]
    return {"type": "BertProcessing", "sep": sep, "cls": cls}


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in "WF" if character else False


def _read_pieces(model: bytes, *, where: str) -> list[str]:
    try:
        text = model.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CheckpointError(f"{where}: byte {error.start} is not UTF-8; copy the file again") from error
    # Only at line feeds: the Chinese vocabulary holds characters that str.splitlines takes for line ends.
    return [line.strip(" \t\r") for line in text.rstrip().split("\n")]
