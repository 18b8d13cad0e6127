"""The vocabulary inside a BSON file of ALBERT.jl: the lines of a file of text, `30k-clean.vocab` or `vocab.txt`.

The lines of `30k-clean.vocab` are a piece and its score. They say the ids, but not how a text is normalized nor which
pieces are symbols, so no SentencePiece model can be made of them. Where they are those of the official vocabulary, its
model (which comes with albertkit) is taken; the lines of `vocab.txt` are the whole WordPiece vocabulary.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from importlib import resources
from math import isclose
from pathlib import Path

from albertkit.errors import CheckpointError
from albertkit.io.files import write_text
from albertkit.io.protobuf import BYTES, FIXED32, ProtobufError, read_fields, read_float

_OFFICIAL = 30000
_SPECIAL = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}


def vocabulary_lines(files: Mapping[str, Path]) -> list[str]:
    """Return the lines that go into a BSON file; none where there is no vocabulary.

    Args:
        files: tokenizer files of a checkpoint.

    Raises:
        CheckpointError: a vocabulary that cannot be read.
    """
    try:
        if "spiece.model" in files:
            return [f"{piece}\t{score:g}" for piece, score in read_pieces(files["spiece.model"])]
        if "vocab.txt" in files:
            return files["vocab.txt"].read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{error}; the vocabulary cannot be read, copy or download it again") from error
    return []


def read_pieces(path: Path) -> list[tuple[str, float]]:
    """Return the pieces and scores of a SentencePiece model.

    Raises:
        CheckpointError: it is none.
    """
    pieces: list[tuple[str, float]] = []
    try:
        for field in read_fields(path.read_bytes(), where=str(path)):
            if field.number == 1 and isinstance(field.value, bytes) and field.wire_type == BYTES:
                inner = {part.number: part for part in read_fields(field.value, where=str(path))}
                piece = inner[1].value if 1 in inner else b""
                score = read_float(inner[2].value) if 2 in inner and inner[2].wire_type == FIXED32 else 0.0
                pieces.append(((piece if isinstance(piece, bytes) else b"").decode("utf-8"), score))
    except (ProtobufError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path}: is not a SentencePiece model ({error}); copy or download it again") from error
    return pieces


def tokenizer_files(lines: Sequence[str], vocab_size: int, notes: list[str]) -> tuple[dict[str, Path], object]:
    """Return the tokenizer files that match the lines, and the object that keeps them on disk.

    Args:
        lines: the vocabulary as the file holds it.
        vocab_size: number of embeddings.
        notes: takes a sentence on what was understood.
    """
    if not lines:
        notes.append("the file holds no vocabulary")
    elif _is_official(lines):
        notes.append("the vocabulary is the official one, whose SentencePiece model comes with albertkit")
        return {"spiece.model": Path(str(resources.files("albertkit") / "assets" / "30k-clean.model"))}, None
    elif len(lines) <= vocab_size and len(set(lines)) == len(lines) and set(lines) >= _SPECIAL:
        keeper = _Keeper()
        write_text(keeper.folder / "vocab.txt", "".join(f"{line}\n" for line in lines))
        return {"vocab.txt": keeper.folder / "vocab.txt"}, keeper
    else:
        notes.append(
            f"the vocabulary of {len(lines)} pieces was not converted: its lines are not a WordPiece vocabulary and "
            "not the official one, and do not say how a text is normalized; copy the spiece.model into the folder "
            "of the converted model"
        )
    return {}, None


class _Keeper:
    """A temporary folder that is removed with this object."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="albertkit-"))
        self._remove = weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)


def _is_official(lines: Sequence[str]) -> bool:
    if len(lines) != _OFFICIAL:
        return False
    official = read_pieces(Path(str(resources.files("albertkit") / "assets" / "30k-clean.model")))
    for line, (piece, score) in zip(lines, official, strict=True):
        own, _, number = line.partition("\t")
        try:
            if own != piece or (number and not isclose(float(number), score, rel_tol=1e-4)):
                return False
        except ValueError:
            return False
    return True
