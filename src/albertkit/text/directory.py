"""The tokenizer files of a Hugging Face directory, and the names under which a tokenizer is found."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from albertkit.config import PUBLISHED, nearest_model
from albertkit.errors import CheckpointError, UsageError
from albertkit.hub.known_models import cached_model_folder
from albertkit.io.files import atomic_file, write_json, write_text
from albertkit.text.added_tokens import AddedTokenError, added_tokens, unknown_tokens
from albertkit.text.any_tokenizer import AnyTokenizer
from albertkit.text.json_tokenizer import JSON_MODE, JsonTokenizer, parsed
from albertkit.text.normalize import MODES
from albertkit.text.self_test import JSON_DIGEST, are_official_pieces, self_test_record
from albertkit.text.settings import read_bounded, read_settings
from albertkit.text.tokenizer import Tokenizer
from albertkit.text.tokenizer_json import tokenizer_json
from albertkit.text.wordpiece import WordPieceTokenizer, wordpiece_json

MODEL_FILES = ("spiece.model", "30k-clean.model")
"""Names of the SentencePiece model in a directory, in the order they are looked for."""

WORDPIECE_FILE = "vocab.txt"
"""Name of the WordPiece vocabulary, which counts where no SentencePiece model is."""

JSON_FILE = "tokenizer.json"
"""Name of the tokenizers library's file, which counts where there is no other, or where it holds added tokens."""

VOCABULARIES = (*MODEL_FILES, WORDPIECE_FILE, JSON_FILE)

_MAX_LENGTH = 512  # tokens; the published position embeddings


def read_directory(
    folder: str | os.PathLike[str], *, mode: str | None = None, keep_accents: bool | None = None
) -> AnyTokenizer:
    """Read the tokenizer of a Hugging Face directory.

    Args:
        folder: the directory.
        mode: whose ids to reproduce; what the directory records when left out, else google.
        keep_accents: what the directory records when left out.

    Raises:
        CheckpointError: no vocabulary is there, or its settings cannot be followed.
        UsageError: the mode does not go with the vocabulary.
        MissingExtraError: a WordPiece vocabulary, and the tokenizers library is not installed.
    """
    names = (*VOCABULARIES, "tokenizer_config.json", "added_tokens.json")
    files = {name: Path(folder, name) for name in names if Path(folder, name).is_file()}
    if files.keys().isdisjoint(VOCABULARIES):
        raise CheckpointError(
            f"{os.fspath(folder)}: holds no {' or '.join(MODEL_FILES)}, and no {WORDPIECE_FILE}; copy the file there"
        )
    return read_tokenizer_files(files, mode=mode, keep_accents=keep_accents)


def read_tokenizer_files(
    files: Mapping[str, Path], *, mode: str | None = None, keep_accents: bool | None = None
) -> AnyTokenizer:
    """Read a tokenizer from files that need not stand in one folder or have their usual names.

    Args:
        files: name in a Hugging Face directory -> path; of `spiece.model`, `30k-clean.model`, `vocab.txt` and
            `tokenizer.json` the first counts, unless tokens were added that only `tokenizer.json` holds, and
            `tokenizer_config.json`, where it is among them, says what it says.
        mode: whose ids to reproduce; what the settings record when left out, else google.
        keep_accents: what the settings record when left out.

    Raises:
        CheckpointError: no vocabulary among them, settings that cannot be followed, or added tokens that no vocabulary
            holds.
        UsageError: the mode does not go with the vocabulary.
        MissingExtraError: a vocabulary that the tokenizers library splits, which is not installed.
    """
    name = next((name for name in VOCABULARIES if name in files), None)
    if name is None:
        raise CheckpointError(f"no tokenizer among {', '.join(files) or 'no files'}; bring spiece.model or vocab.txt")
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
    """Tell whether a tokenizer.json is that of the official vocabulary, which needs no library, and nothing more."""
    vocabulary = parsed(read_bounded(path), where=str(path))["model"].get("vocab")
    if not isinstance(vocabulary, list) or not all(isinstance(entry, list) and entry for entry in vocabulary):
        return False
    pieces = [str(entry[0]) for entry in vocabulary]
    return are_official_pieces(pieces) and not unknown_tokens(added, Tokenizer.official())


def _read_json(files: Mapping[str, Path], added: Mapping[str, int], *, mode: str | None) -> JsonTokenizer:
    path = files[JSON_FILE]
    if mode is not None:
        raise UsageError(f"{path}: its ids are those of the file, which knows no modes; leave the mode out")
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
    where = files.get("tokenizer_config.json")
    settings = read_settings(where) if where is not None else {}
    own = settings.get("albertkit", {})
    if mode is None and own.get("mode") not in (None, JSON_MODE):
        mode = own["mode"]
        if not isinstance(mode, str) or mode not in MODES:
            raise CheckpointError(
                f"{where}: records the tokenizer mode {mode!r:.40}, which is none of {', '.join(MODES)}; correct it"
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
            f"{where}: do_lower_case false fits no mode for certain; name one (keras splits the text as it is)"
        )
    if name == JSON_FILE:
        return Tokenizer.official(mode=mode or "google", keep_accents=accents)
    return Tokenizer.from_file(files[name], mode=mode or "google", keep_accents=accents)


def write_directory(folder: str | os.PathLike[str], *, tokenizer: AnyTokenizer) -> list[str]:
    """Write the tokenizer files of a Hugging Face directory: the vocabulary, tokenizer.json and the settings.

    `tokenizer_class` is the general class, which takes `tokenizer.json` as it is: transformers 5 rebuilds
    `AlbertTokenizer` from the pieces alone, with its own rules for quotes and accents.

    Args:
        folder: the directory, which is made where it is missing.
        tokenizer: what to write.

    Returns:
        The names of the files.

    Raises:
        WriteError: the system refused.
    """
    content: dict[str, Any] | None = None
    steps: dict[str, Any] = {}
    if isinstance(tokenizer, WordPieceTokenizer):
        content, lower = wordpiece_json(tokenizer), tokenizer.lower
        strips = lower and not tokenizer.keep_accents
        steps = {"do_lower_case": lower, "strip_accents": strips, "tokenize_chinese_chars": True}
    elif isinstance(tokenizer, Tokenizer):
        content, rules = tokenizer_json(tokenizer), tokenizer.normalization
        steps = {"do_lower_case": rules.case is not None, "keep_accents": rules.strip is None, "remove_space": True}
    name, target = tokenizer.vocabulary_file, Path(folder)
    with atomic_file(target / name) as temporary:
        temporary.write_bytes(tokenizer.model)
    for other in (*VOCABULARIES[: VOCABULARIES.index(name)], "added_tokens.json"):  # would be read before or with this
        (target / other).unlink(missing_ok=True)
    written: dict[str, str] = {}
    if content is not None:
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        write_text(target / JSON_FILE, text)
        written = {JSON_DIGEST: hashlib.sha256(text.encode()).hexdigest()}
    pad, unk, cls, sep, mask = tokenizer.specials
    tokens: dict[str, Any] = {
        "bos_token": cls,
        "eos_token": sep,
        "unk_token": unk,
        "sep_token": sep,
        "pad_token": pad,
        "cls_token": cls,
        "mask_token": mask,
    }
    write_json(target / "special_tokens_map.json", tokens)
    write_json(
        target / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": _MAX_LENGTH,
            "model_input_names": ["input_ids", "token_type_ids", "attention_mask"],
            "clean_up_tokenization_spaces": False,
            **steps,
            **tokens,
            "albertkit": {
                "mode": tokenizer.mode,
                "keep_accents": tokenizer.keep_accents,
                "self_test": self_test_record(tokenizer),
                **written,
            },
        },
    )
    return [*dict.fromkeys((name, JSON_FILE)), "special_tokens_map.json", "tokenizer_config.json"]


def tokenizer_folder(name: str) -> Path | None:
    """Return the folder that a directory's tokenizer is read from, of a run its `model`; None for anything else."""
    path = Path(name)
    if name in PUBLISHED or not path.is_dir():
        return None
    run = (path / "model").is_dir() and not any((path / file).is_file() for file in VOCABULARIES)
    return path / "model" if run else path


def find_tokenizer(name: str, *, mode: str | None = None, keep_accents: bool | None = None) -> AnyTokenizer:
    """Return the tokenizer of a known English model, of a directory, or of a SentencePiece model or vocab.txt.

    >>> find_tokenizer("albert-nano").vocab_size
    30000

    Args:
        name: a known name, a Hugging Face directory, a run directory (its `model` folder counts), or a model file.
        mode: whose ids to reproduce; what a directory records when left out, else google.
        keep_accents: what a directory records when left out, else False.

    Raises:
        UsageError: nothing is known by this name.
        CheckpointError: it is there and cannot be read.
    """
    if name in PUBLISHED:
        if name.endswith("-zh"):
            found = cached_model_folder(name)
            if found is None:
                raise UsageError(
                    f"the Chinese vocabulary of {name} does not come with albertkit: albertkit download {name} "
                    "fetches it with the model"
                )
            return read_directory(found, mode=mode, keep_accents=keep_accents)
        return Tokenizer.official(mode=mode or "google", keep_accents=bool(keep_accents))
    path = Path(name)
    if path.is_file() and path.suffix == ".txt":
        return WordPieceTokenizer.from_file(path, mode=mode or "google", keep_accents=bool(keep_accents))
    if path.is_file() and path.suffix == ".json":
        return _read_json({JSON_FILE: path}, {}, mode=mode)
    if path.is_file():
        return Tokenizer.from_file(path, mode=mode or "google", keep_accents=bool(keep_accents))
    folder = tokenizer_folder(name)
    if folder is not None:
        return read_directory(folder, mode=mode, keep_accents=keep_accents)
    raise UsageError(
        f'no tokenizer "{name}"{nearest_model(name)} (a known model, a directory with {MODEL_FILES[0]}, '
        "or a file: a SentencePiece model, a vocab.txt or a tokenizer.json)"
    )
