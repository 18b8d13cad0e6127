"""JsonTokenizer: a tokenizer that only a `tokenizer.json` describes, split by the tokenizers library.

transformers 5 saves nothing else, and tokens that a user added to a vocabulary are found only there. The ids are those
of transformers; what stays albertkit's is that text is always text: a literal "[MASK]" is no special token.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from albertkit.errors import CheckpointError, UsageError
from albertkit.text.any_tokenizer import AnyTokenizer
from albertkit.text.encoding import Tokens, checked_text
from albertkit.text.settings import read_bounded
from albertkit.text.tokenizers_library import asked, library_tokenizer
from albertkit.text.vocabulary import SPECIALS
from albertkit.text.wordpiece import WORDPIECE_SPECIALS

if TYPE_CHECKING:
    import tokenizers

JSON_MODE = "tokenizer.json"
"""What such a tokenizer has for a mode: its ids are those of its file."""


class JsonTokenizer(AnyTokenizer):
    """Splits text as a `tokenizer.json` says.

    Args:
        model: the content of the file.
        where: what an error message calls it.

    Raises:
        CheckpointError: not a tokenizer, or one that cannot serve ALBERT.
        MissingExtraError: the tokenizers library is not installed.
    """

    mode = JSON_MODE
    keep_accents = False
    vocabulary_file = "tokenizer.json"

    def __init__(self, model: bytes, *, where: str = "tokenizer.json") -> None:
        self.model = model
        self.where = where
        content = parsed(model, where=where)
        added = added_of(content)
        self._added = {number: piece for piece, number in added.items()}
        whole = library_tokenizer(json.dumps({**content, "truncation": None, "padding": None}), where=where)
        known = whole.get_vocab(with_added_tokens=False)
        kinds = [kind for kind in (SPECIALS, WORDPIECE_SPECIALS) if all(piece in known for piece in kind)]
        if not kinds:
            raise CheckpointError(f"{where}: its vocabulary has no {' '.join(SPECIALS)}, so ALBERT cannot use it")
        self.specials = kinds[0]
        self._scores = _scores_of(content)
        own = [each for each in content.get("added_tokens") or [] if each["content"] not in self.specials]
        bare = {"added_tokens": own, "post_processor": None, "truncation": None, "padding": None}
        self._splitter = library_tokenizer(json.dumps({**content, **bare}), where=where)
        for piece, number in added.items():
            if self._splitter.token_to_id(piece) != number:
                raise CheckpointError(
                    f'{where}: the added token "{piece:.60}" (id {number}) has the id '
                    f"{self._splitter.token_to_id(piece)} by its place in the file; save the tokenizer again"
                )
        if content.get("post_processor") is not None:
            self._check_template(whole)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> JsonTokenizer:
        """Read a `tokenizer.json`.

        Raises:
            CheckpointError: see the class.
        """
        return cls(read_bounded(path), where=os.fspath(path))

    @cached_property
    def all_pieces(self) -> list[str]:
        """The pieces by id, added tokens after those of the vocabulary."""
        numbers = range(self.vocab_size)
        return self._as_written(numbers, [self._splitter.id_to_token(number) or "" for number in numbers])

    @property
    def vocab_size(self) -> int:
        """Number of pieces with the added tokens."""
        return int(self._splitter.get_vocab_size(with_added_tokens=True))

    @property
    def scores(self) -> npt.NDArray[np.float64]:
        """Log probability of each piece by id, `[vocab_size]`; 0 for added tokens.

        Raises:
            UsageError: a vocabulary without scores.
        """
        if self._scores is None:
            raise UsageError(f"{self.where}: this vocabulary has no scores; only spiece.model does")
        return np.array([*self._scores, *[0.0] * (self.vocab_size - len(self._scores))])

    def special_id(self, piece: str) -> int:
        """Return the id of a special piece.

        Raises:
            CheckpointError: the vocabulary has no such piece.
        """
        number = self._splitter.token_to_id(piece)
        if number is None:
            raise CheckpointError(f"{self.where}: the vocabulary has no piece {piece}, so ALBERT cannot use it")
        return int(number)

    def tokenize(self, text: str) -> list[str]:
        """Return the pieces of a text, without special tokens.

        Raises:
            TextError: not a str, or a lone surrogate in it.
        """
        clean = checked_text(text, number=0)
        found = asked(lambda: self._splitter.encode(clean, add_special_tokens=False), where=self.where)
        return self._as_written(found.ids, found.tokens)

    def ids(self, pieces: Iterable[str]) -> list[int]:
        """Return the ids of pieces; the id of the unknown piece for those that the vocabulary does not hold."""
        unknown = self.unk_id
        return [unknown if (number := self._splitter.token_to_id(piece)) is None else number for piece in pieces]

    def json_content(self) -> None:
        return None

    def _steps(self) -> dict[str, Any]:
        return {}

    def _text_of(self, pieces: list[str]) -> str:
        decoder = self._splitter.decoder
        joined: str = "".join(pieces) if decoder is None else asked(lambda: decoder.decode(pieces), where=self.where)
        return joined.strip()

    def _part_tokens(self, part: str) -> Tokens:
        found = asked(lambda: self._splitter.encode(part, add_special_tokens=False), where=self.where)
        pieces = self._as_written(found.ids, found.tokens)
        return Tokens(list(found.ids), pieces, [_trimmed(part, *span) for span in found.offsets])

    def _as_written(self, numbers: Iterable[int], pieces: Iterable[str]) -> list[str]:
        """Return pieces with added tokens as the file has them: the library may normalize "Ix" to the piece "ix"."""
        return [self._added.get(number, piece) for number, piece in zip(numbers, pieces, strict=True)]

    def _batch_ids(self, texts: list[str], threads: int | None) -> list[list[int]]:  # noqa: ARG002 - the library's own
        clean = [checked_text(text, number=number) for number, text in enumerate(texts)]
        rows = asked(lambda: self._splitter.encode_batch_fast(clean, add_special_tokens=False), where=self.where)
        return [list(row.ids) for row in rows]

    def _check_template(self, whole: tokenizers.Tokenizer) -> None:
        one, other = self._batch_ids(["a", "b"], None)
        found = asked(lambda: whole.encode("a", "b"), where=self.where)
        expected = [self.cls_id, *one, self.sep_id, *other, self.sep_id]
        segments = [0] * (len(one) + 2) + [1] * (len(other) + 1)
        if found.ids != expected or found.type_ids != segments:
            raise CheckpointError(
                f"{self.where}: puts other tokens around a pair than [CLS] a [SEP] b [SEP] with the segments 0 and 1, "
                "so it is not the tokenizer of an ALBERT model"
            )


def parsed(model: bytes, *, where: str) -> dict[str, Any]:
    """Return the content of a `tokenizer.json`.

    Raises:
        CheckpointError: not JSON, or without a model.
    """
    try:
        content = json.loads(model)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{where}: cannot be read as JSON ({error}); copy or download the file again") from error
    if not isinstance(content, dict) or not isinstance(content.get("model"), dict):
        raise CheckpointError(f"{where}: is not the tokenizer.json of a tokenizer; copy or download the file again")
    return content


def added_of(content: dict[str, Any]) -> dict[str, int]:
    """Return added token -> id of a `tokenizer.json`, its special tokens among them.

    Raises:
        CheckpointError: the list has another form.
    """
    added: dict[str, int] = {}
    rows = content.get("added_tokens") or []
    for row in rows if isinstance(rows, list) else [rows]:
        piece, number = (row.get("content"), row.get("id")) if isinstance(row, dict) else (None, None)
        if not isinstance(piece, str) or type(number) is not int:
            raise CheckpointError(f"tokenizer.json: {row!s:.60} is not an added token with content and id")
        added[piece] = number
    return added


def _scores_of(content: dict[str, Any]) -> list[float] | None:
    vocabulary = content["model"].get("vocab")
    if not isinstance(vocabulary, list):
        return None
    return [float(entry[1]) for entry in vocabulary]  # the library has read them before


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    return start, end
