"""tokenizer.json: the same tokenizer for the tokenizers library, built only from the SentencePiece model.

Written here because the common converter turns user-defined symbols ( "(", "-", ".", ...) into added tokens, which cuts
words in other places, and because its rule for accents drops other characters than Google's code does.

What cannot be the same there: a literal "[MASK]", "<pad>", ... in a text is always the special token.
"""

from __future__ import annotations

import base64
import sys
import unicodedata
from functools import cache
from typing import Any

from albertkit.errors import CheckpointError
from albertkit.io.protobuf import ProtobufError, read_fields
from albertkit.text.normalize import IGNORABLE, Normalization
from albertkit.text.vocabulary import SPECIALS, Vocabulary

DIGIT_COMMA_PENALTY = 100.0
"""Taken from the score of pieces that end in a digit and a comma: never chosen, as Google's rule wants it. The
published tokenizer.json does the same."""

_SPACE = "\u2581"
# Characters with a Latin decomposition that are younger than the Unicode tables of the tokenizers library.
_LATER = "\ua7f2\ua7f3\ua7f4\U000107a5\U0001f16c" + "".join(map(chr, range(0x1FBF0, 0x1FBFA)))
_UNIGRAM = 1
_TRAINER, _NORMALIZER = 2, 3  # fields of ModelProto
_MODEL_TYPE, _CHARSMAP = 3, 2  # fields of TrainerSpec and NormalizerSpec


def tokenizer_json(vocabulary: Vocabulary, normalization: Normalization) -> dict[str, Any]:
    """Return the content of `tokenizer.json` for a SentencePiece tokenizer.

    Args:
        vocabulary: a unigram model with ALBERT's five special pieces.
        normalization: the normalization of a text before it is split.

    Raises:
        CheckpointError: the model is of another type, or a special piece is missing.
    """
    specials = {piece: vocabulary.special_id(piece) for piece in SPECIALS}
    charsmap = _charsmap(vocabulary.model, where=vocabulary.where)
    penalized = vocabulary.digit_comma.keys() if normalization.digit_comma else frozenset[int]()
    scores = vocabulary.scores.tolist()
    pieces = [
        [piece, scores[number] - (DIGIT_COMMA_PENALTY if number in penalized else 0.0)]
        for number, piece in enumerate(vocabulary.pieces)
    ]
    metaspace = {"type": "Metaspace", "replacement": _SPACE, "prepend_scheme": "always", "split": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": number,
                "content": piece,
                "single_word": False,
                "lstrip": piece == "[MASK]",
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
            for piece, number in sorted(specials.items(), key=lambda entry: entry[1])
        ],
        "normalizer": {"type": "Sequence", "normalizers": _normalizers(normalization, charsmap)},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [_split_at_spaces(), metaspace]},
        "post_processor": _template(specials),
        "decoder": metaspace,
        "model": {"type": "Unigram", "unk_id": vocabulary.unk_id, "vocab": pieces, "byte_fallback": False},
    }


def _charsmap(model: bytes, *, where: str) -> bytes:
    charsmap, model_type = b"", _UNIGRAM
    try:
        for field in read_fields(model, where=where):
            if field.number == _NORMALIZER and isinstance(field.value, bytes):
                for inner in read_fields(field.value, where=where):
                    if inner.number == _CHARSMAP and isinstance(inner.value, bytes):
                        charsmap = inner.value
            elif field.number == _TRAINER and isinstance(field.value, bytes):
                for inner in read_fields(field.value, where=where):
                    if inner.number == _MODEL_TYPE and isinstance(inner.value, int):
                        model_type = inner.value
    except ProtobufError as error:
        raise CheckpointError(str(error)) from error
    if model_type != _UNIGRAM:
        raise CheckpointError(
            f"{where}: a SentencePiece model of type {model_type}, ALBERT's is 1 (unigram); train one"
        )
    return charsmap


def _normalizers(steps: Normalization, charsmap: bytes) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    if steps.collapse:
        # Python's whitespace is not the library's: it has the separators U+001C to U+001F.
        rows.append(_replace_class(_whitespace(), " "))
    if steps.quotes:
        rows += [_replace("``", '"'), _replace("''", '"')]
    if steps.decompose == "NFKD":
        rows += _later_compositions()
    if steps.decompose:
        rows.append({"type": steps.decompose})
    if steps.strip:
        rows.append(_replace_class(_marks(steps.strip), ""))
    if steps.case == "fold":
        rows.append({"type": "Replace", "pattern": {"Regex": IGNORABLE}, "content": ""})
        rows += [_replace(character, character.casefold()) for character in _folded_otherwise()]
        rows += [{"type": "Lowercase"}, *_later_compositions(), {"type": "NFKC"}]
    if steps.case:
        rows.append({"type": "Lowercase"})
    if charsmap:
        rows.append({"type": "Precompiled", "precompiled_charsmap": base64.b64encode(charsmap).decode("ascii")})
    return rows


def _later_compositions() -> list[dict[str, Any]]:
    return [_replace(character, unicodedata.normalize("NFKD", character)) for character in _LATER]


def _replace(pattern: str, content: str) -> dict[str, Any]:
    return {"type": "Replace", "pattern": {"String": pattern}, "content": content}


def _replace_class(characters: str, content: str) -> dict[str, Any]:
    return {"type": "Replace", "pattern": {"Regex": f"[{_ranges(characters)}]"}, "content": content}


def _ranges(characters: str) -> str:
    parts: list[str] = []
    codes = sorted(map(ord, characters))
    first = 0
    for index, code in enumerate(codes):
        if index + 1 == len(codes) or codes[index + 1] != code + 1:
            parts.append(f"\\x{{{codes[first]:x}}}" + (f"-\\x{{{code:x}}}" if first < index else ""))
            first = index + 1
    return "".join(parts)


def _every_character() -> map[str]:
    return map(chr, (code for code in range(sys.maxunicode + 1) if not 0xD800 <= code <= 0xDFFF))


@cache
def _whitespace() -> str:
    return "".join(character for character in _every_character() if character.isspace())


@cache
def _marks(kind: str) -> str:
    if kind == "Mn":
        return "".join(character for character in _every_character() if unicodedata.category(character) == "Mn")
    return "".join(character for character in _every_character() if unicodedata.combining(character))


@cache
def _folded_otherwise() -> str:
    # Few characters fold to something else than their lower case; in Latin, sharp s above all.
    return "".join(
        character
        for character in _every_character()
        if character.casefold() != character.lower() and character.casefold().isascii()
    )


def _split_at_spaces() -> dict[str, Any]:
    # Not WhitespaceSplit: where nothing collapses whitespace first, the model keeps a lone U+0085 as a character.
    # A regular expression: the tokenizers library for JavaScript keeps the spaces that a string splits at.
    return {"type": "Split", "pattern": {"Regex": " "}, "behavior": "Removed", "invert": False}


def _template(specials: dict[str, int]) -> dict[str, Any]:
    def special(piece: str, segment: int) -> dict[str, Any]:
        return {"SpecialToken": {"id": piece, "type_id": segment}}

    def text(name: str, segment: int) -> dict[str, Any]:
        return {"Sequence": {"id": name, "type_id": segment}}

    single = [special("[CLS]", 0), text("A", 0), special("[SEP]", 0)]
    return {
        "type": "TemplateProcessing",
        "single": single,
        "pair": [*single, text("B", 1), special("[SEP]", 1)],
        "special_tokens": {
            piece: {"id": piece, "ids": [specials[piece]], "tokens": [piece]} for piece in ("[CLS]", "[SEP]")
        },
    }
