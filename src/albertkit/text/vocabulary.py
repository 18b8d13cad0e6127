"""Vocabulary: a SentencePiece model, what its pieces are, and splitting normalised text into them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cached_property
from importlib import resources
from pathlib import Path

import numpy as np
import numpy.typing as npt
import sentencepiece

from albertkit.errors import CheckpointError

SPECIALS = ("<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]")
"""The special pieces, ids 0 to 4 of the official vocabulary."""

_SPACE = "\u2581"
_THREADS_FROM = 32  # texts; below, starting threads costs more than they save


def official_vocabulary() -> Path:
    """Return the SentencePiece model of all English ALBERT models, which comes with albertkit."""
    return Path(str(resources.files("albertkit") / "assets" / "30k-clean.model"))


class Vocabulary:
    """The pieces of a SentencePiece model.

    Args:
        model: the bytes of the model's file.
        where: what an error message calls it.

    Raises:
        CheckpointError: the bytes are not a SentencePiece model.
    """

    def __init__(self, model: bytes, *, where: str = "SentencePiece model") -> None:
        self.model = model
        self.where = where
        self._processor = sentencepiece.SentencePieceProcessor()
        try:
            self._processor.LoadFromSerializedProto(model)
        except Exception as error:  # the library's own class differs between releases
            raise CheckpointError(
                f"{where}: not a SentencePiece model ({len(model)} bytes that cannot be read as one); copy it again"
            ) from error
        self.unk_id = int(self._processor.unk_id())

    @cached_property
    def pieces(self) -> list[str]:
        """All pieces, by id.

        Raises:
            CheckpointError: a piece is not UTF-8.
        """
        pieces: list[str] = []
        try:
            for number in range(self._processor.GetPieceSize()):
                pieces.append(self._processor.IdToPiece(number))
        except UnicodeDecodeError as error:
            raise CheckpointError(f"{self.where}: piece {len(pieces)} is not UTF-8; copy the file again") from error
        return pieces

    @cached_property
    def scores(self) -> npt.NDArray[np.float64]:
        """Log probability of each piece by id, `[pieces]`; 0 for special and user-defined pieces."""
        return np.array([self._processor.GetScore(number) for number in range(len(self.pieces))], dtype=np.float64)

    @cached_property
    def digit_comma(self) -> dict[int, tuple[list[int], list[str]]]:
        """Ids and pieces that replace each piece that ends in a digit and a comma, by Google's rule.

        The rule splits such a piece again without its comma; the result depends only on the piece. Google's code tries
        to remove a word mark that the piece did not have, but fails because it compares str with bytes. This code
        removes the mark. No piece of the official vocabulary is affected.
        """
        replaced = {}
        for number, piece in enumerate(self.pieces):
            if len(piece) < 2 or piece[-1] != "," or not piece[-2].isdigit():
                continue
            pieces = list(self._processor.encode(piece[:-1].replace(_SPACE, ""), out_type=str))
            if piece[0] != _SPACE and pieces and pieces[0].startswith(_SPACE):
                pieces = [pieces[0][1:], *pieces[1:]] if len(pieces[0]) > 1 else pieces[1:]
            pieces.append(",")
            replaced[number] = (self.ids(pieces), pieces)
        return replaced

    @cached_property
    def keeps_ascii(self) -> bool:
        """Whether the model's normalisation leaves ASCII unchanged and marks each word at its start."""
        printable = "".join(map(chr, range(33, 127)))
        return bool(self._processor.Normalize(f"a {printable}") == f"{_SPACE}a{_SPACE}{printable}")

    @cached_property
    def collapses_spaces(self) -> bool:
        """Whether the model's normalisation makes one of several spaces, and drops those at the ends."""
        return bool(self._processor.Normalize("  a   [CLS]  b ") == self._processor.Normalize("a [CLS] b"))

    def special_id(self, piece: str) -> int:
        """Return the id of a special piece.

        Raises:
            CheckpointError: the vocabulary has no such piece.
        """
        number = int(self._processor.PieceToId(piece))
        if number == self.unk_id and piece != self.pieces[self.unk_id]:
            raise CheckpointError(f"{self.where}: the vocabulary has no piece {piece}, so ALBERT cannot use it")
        return number

    def ids(self, pieces: Iterable[str]) -> list[int]:
        """Return the ids of pieces; the id of <unk> for those that the vocabulary does not hold."""
        return [int(self._processor.PieceToId(piece)) for piece in pieces]

    def normalize(self, text: str) -> tuple[str, list[int]]:
        """Return the text as the model normalises it and where each character came from, the end included.

        Returns:
            The normalised text, `n` characters, and `n + 1` positions in characters of the text given.
        """
        normalized, origins = self._processor.Normalize(text, with_offsets=True)
        return normalized, list(origins)

    def split(self, text: str, *, digit_comma: bool) -> tuple[list[int], list[str]]:
        """Return ids and pieces of one text; unknown pieces keep their characters.

        Args:
            text: after `Normalization.apply`.
            digit_comma: follow Google's rule for pieces that end in a digit and a comma.
        """
        ids: list[int] = self._processor.encode(text, out_type=int)
        if self.unk_id in ids:
            pieces: list[str] = self._processor.encode(text, out_type=str)
        else:
            pieces = [self.pieces[number] for number in ids]
        if digit_comma and not self.digit_comma.keys().isdisjoint(ids):
            parts = [self.digit_comma.get(old, ([old], [piece])) for old, piece in zip(ids, pieces, strict=True)]
            return [number for part in parts for number in part[0]], [piece for part in parts for piece in part[1]]
        return ids, pieces

    def split_batch(self, texts: list[str], *, digit_comma: bool, threads: int | None = None) -> list[list[int]]:
        """Return the ids of many texts.

        Args:
            texts: after `Normalization.apply`.
            digit_comma: follow Google's rule for pieces that end in a digit and a comma.
            threads: threads of the library; default: all that this process may use.
        """
        count = 1 if len(texts) < _THREADS_FROM else threads or _available_threads()
        rows: list[list[int]] = self._processor.encode(texts, out_type=int, num_threads=count)
        if digit_comma:
            replaced = self.digit_comma
            for index, row in enumerate(rows):
                if not replaced.keys().isdisjoint(row):
                    rows[index] = [new for old in row for new in (replaced[old][0] if old in replaced else (old,))]
        return rows


def _available_threads() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        return os.cpu_count() or 1
