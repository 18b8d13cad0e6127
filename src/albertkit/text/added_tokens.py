"""Tokens that somebody added to a vocabulary: where a folder names them, and which of them are news."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from albertkit.errors import CheckpointError
from albertkit.text.any_tokenizer import AnyTokenizer
from albertkit.text.json_tokenizer import added_of, parsed
from albertkit.text.settings import read_bounded, read_settings
from albertkit.text.tokenizer import Tokenizer


class AddedTokenError(CheckpointError):
    """A token was added to a vocabulary, and no file says how text with it is split."""


def added_tokens(files: Mapping[str, Path]) -> dict[str, int]:
    """Return added token -> id, as the files of a Hugging Face folder name them; special tokens are among them.

    Args:
        files: name in a folder -> path.

    Raises:
        CheckpointError: an `added_tokens.json` that cannot be read.
    """
    found: dict[str, int] = {}
    if "tokenizer.json" in files:
        with suppress(CheckpointError):  # with a vocabulary the self-test reports it, without one it is an error
            found |= added_of(_with_added_tokens(files["tokenizer.json"]))
    if "tokenizer_config.json" in files:
        decoder = read_settings(files["tokenizer_config.json"]).get("added_tokens_decoder")
        for number, row in decoder.items() if isinstance(decoder, dict) else ():
            piece = row.get("content") if isinstance(row, dict) else row
            if isinstance(piece, str) and number.isdecimal() and len(number) < 10:
                found[piece] = int(number)
    if "added_tokens.json" in files:
        path = files["added_tokens.json"]
        values: dict[str, Any] = read_settings(path)
        for piece, number in values.items():
            if type(number) is not int:
                raise CheckpointError(f'{path}: the token "{piece:.60}" has the id {number!r:.40}, not a whole number')
            found[piece] = number
    return found


def _with_added_tokens(path: Path) -> dict[str, Any]:
    """Return what holds the added tokens of a tokenizer.json, without its vocabulary, which takes long to parse."""
    model = read_bounded(path)
    keys = list(re.finditer(rb'"added_tokens"\s*:\s*', model))
    if len(keys) != 1:
        return parsed(model, where=str(path))
    try:
        rows, _ = json.JSONDecoder().raw_decode(model[keys[0].end() :].decode())
    except (ValueError, RecursionError):
        return {}
    return {"added_tokens": rows}


def unknown_tokens(added: Mapping[str, int], tokenizer: AnyTokenizer) -> dict[str, int]:
    """Return those added tokens that change what a tokenizer would give.

    transformers lists special and user-defined pieces of a vocabulary as added tokens, too: they are no news. An
    ordinary piece is: as an added token it is cut out of every word.

    Args:
        added: token -> id.
        tokenizer: the tokenizer of the vocabulary without added tokens.
    """
    return {piece: number for piece, number in added.items() if not _is_known(piece, number, tokenizer)}


def _is_known(piece: str, number: int, tokenizer: AnyTokenizer) -> bool:
    if piece in tokenizer.specials:
        return tokenizer.ids([piece]) == [number]
    user_defined = isinstance(tokenizer, Tokenizer) and 0 <= number < tokenizer.vocab_size
    return user_defined and tokenizer.all_pieces[number] == piece and tokenizer.scores[number] == 0
