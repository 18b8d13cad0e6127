"""Load the tokenizer that the files of a Hugging Face directory describe."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from albertkit.errors import CheckpointError, UsageError
from albertkit.text.added_tokens import AddedTokenError, added_tokens, unknown_tokens
from albertkit.text.any_tokenizer import AnyTokenizer
from albertkit.text.json_tokenizer import JSON_MODE, JsonTokenizer, parsed
from albertkit.text.normalize import MODES
from albertkit.text.self_test import are_official_pieces
from albertkit.text.settings import (
    JSON_FILE,
    MODEL_FILES,
    SETTINGS_FILE,
    VOCABULARIES,
    WORDPIECE_FILE,
    read_bounded,
    read_settings,
)
from albertkit.text.tokenizer import Tokenizer
from albertkit.text.wordpiece import WordPieceTokenizer


def read_directory(
    folder: str | os.PathLike[str], *, mode: str | None = None, keep_accents: bool | None = None
) -> AnyTokenizer:
    """Read the tokenizer of a Hugging Face directory.

    Args:
        folder: the directory.
        mode: the implementation whose ids to reproduce; default: what the directory records, else google.
        keep_accents: what the directory records when left out.

    Raises:
        CheckpointError: no vocabulary is there, or its settings cannot be followed.
        UsageError: the mode does not go with the vocabulary.
        MissingExtraError: a WordPiece vocabulary, and the tokenizers library is not installed.
    """
    names = (*VOCABULARIES, SETTINGS_FILE, "added_tokens.json")
    files = {name: Path(folder, name) for name in names if Path(folder, name).is_file()}
    if files.keys().isdisjoint(VOCABULARIES):
        raise CheckpointError(
            f"{os.fspath(folder)}: holds no {' or '.join(MODEL_FILES)}, and no {WORDPIECE_FILE}; copy the file there"
        )
    return read_tokenizer_files(files, mode=mode, keep_accents=keep_accents)


def read_tokenizer_files(
    files: Mapping[str, Path], *, mode: str | None = None, keep_accents: bool | None = None
) -> AnyTokenizer:
    """Read a tokenizer from files that need not be in one folder or have their usual names.

    Args:
        files: name in a Hugging Face directory -> path; of `spiece.model`, `30k-clean.model`, `vocab.txt` and
            `tokenizer.json` the first counts, unless tokens were added that only `tokenizer.json` holds, and
            `tokenizer_config.json`, where it is among them, says what it says.
        mode: the implementation whose ids to reproduce; default: what the settings record, else google.
        keep_accents: what the settings record when left out.

    Raises:
        CheckpointError: no vocabulary among them, settings that cannot be followed, or added tokens that no vocabulary
            holds.
        UsageError: the mode does not go with the vocabulary.
        MissingExtraError: a vocabulary that the tokenizers library splits, which is not installed.
    """
    name = next((name for name in VOCABULARIES if name in files), None)
    if name is None:
        raise CheckpointError(f"no tokenizer among {', '.join(files) or 'no files'}; add spiece.model or vocab.txt")
    added = added_tokens(files)
    if name == JSON_FILE and not _is_official(files[JSON_FILE], added):
        return _read_json(files, added, mode=mode)
    tokenizer = _read_vocabulary(files, name, mode=mode, keep_accents=keep_accents)
    if not (unknown := unknown_tokens(added, tokenizer)):
        return tokenizer
    if JSON_FILE in files:
        return _read_json(files, added, mode=mode)
    piece, number = next(iter(unknown.items()))
    raise AddedTokenError(
        f'{files[name].parent}: the added token "{piece:.60}" (id {number}) is not in {name}, and there is no '
        f"{JSON_FILE} that holds it; save the tokenizer again with transformers 5, which writes that file"
    )


def _is_official(path: Path, added: Mapping[str, int]) -> bool:
    """Return whether a tokenizer.json is that of the official vocabulary, which needs no library, and nothing more."""
    vocabulary = parsed(read_bounded(path), where=str(path))["model"].get("vocab")
    if not isinstance(vocabulary, list) or not all(isinstance(entry, list) and entry for entry in vocabulary):
        return False
    pieces = [str(entry[0]) for entry in vocabulary]
    return are_official_pieces(pieces) and not unknown_tokens(added, Tokenizer.official())


def _read_json(files: Mapping[str, Path], added: Mapping[str, int], *, mode: str | None) -> JsonTokenizer:
    path = files[JSON_FILE]
    if mode is not None:
        raise UsageError(f"{path}: this tokenizer file has no modes; leave the mode out")
    tokenizer = JsonTokenizer.from_file(path)
    for piece, number in added.items():
        if not 0 <= number < tokenizer.vocab_size or tokenizer.all_pieces[number] != piece:
            raise AddedTokenError(
                f'{path}: does not hold the added token "{piece:.60}" (id {number}), which another file of its folder '
                "names; save the tokenizer again with transformers 5"
            )
    return tokenizer


def _read_vocabulary(
    files: Mapping[str, Path], name: str, *, mode: str | None, keep_accents: bool | None
) -> AnyTokenizer:
    where = files.get(SETTINGS_FILE)
    settings = read_settings(where) if where is not None else {}
    own = settings.get("albertkit", {})
    if mode is None and own.get("mode") not in (None, JSON_MODE):
        mode = own["mode"]
        if not isinstance(mode, str) or mode not in MODES:
            raise CheckpointError(
                f"{where}: records the tokenizer mode {mode!r:.40}, which is not one of {', '.join(MODES)}; correct it"
            )
    recorded = own.get("keep_accents", settings.get("keep_accents", settings.get("strip_accents") is False))
    accents = bool(recorded) if keep_accents is None else keep_accents
    if name == WORDPIECE_FILE:
        if settings.get("tokenize_chinese_chars") is False:
            raise CheckpointError(
                f"{where}: tokenize_chinese_chars false is not supported, since no ALBERT model was trained with it; "
                "set it to true"
            )
        lower = settings.get("do_lower_case") is not False
        return WordPieceTokenizer.from_file(files[name], mode=mode or "google", lower=lower, keep_accents=accents)
    if mode is None and settings.get("do_lower_case") is False:
        raise CheckpointError(
            f"{where}: do_lower_case false does not determine the mode; give one (keras keeps the case)"
        )
    if name == JSON_FILE:
        return Tokenizer.official(mode=mode or "google", keep_accents=accents)
    return Tokenizer.from_file(files[name], mode=mode or "google", keep_accents=accents)
