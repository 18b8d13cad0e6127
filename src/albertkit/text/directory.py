"""The tokenizer files of a Hugging Face directory, and the names under which a tokenizer is found."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from albertkit.config import PUBLISHED
from albertkit.errors import CheckpointError, UsageError, did_you_mean
from albertkit.files import atomic_file, write_json, write_text
from albertkit.text.tokenizer import Tokenizer
from albertkit.text.tokenizer_json import tokenizer_json

MODEL_FILES = ("spiece.model", "30k-clean.model")
"""Names of the SentencePiece model in a directory, in the order they are looked for."""

_MAX_LENGTH = 512  # tokens; the published position embeddings


def read_directory(
    folder: str | os.PathLike[str], *, mode: str | None = None, keep_accents: bool | None = None
) -> Tokenizer:
    """Read the tokenizer of a Hugging Face directory.

    Args:
        folder: the directory.
        mode: whose ids to reproduce; what the directory records when left out, else google.
        keep_accents: what the directory records when left out.

    Raises:
        CheckpointError: no SentencePiece model is there, or its settings cannot be followed.
    """
    path = next((Path(folder, name) for name in MODEL_FILES if Path(folder, name).is_file()), None)
    if path is None:
        wordpiece = Path(folder, "vocab.txt").is_file()
        found = "; its vocab.txt is a WordPiece vocabulary, which is not supported" if wordpiece else ""
        raise CheckpointError(f"{os.fspath(folder)}: holds no {' or '.join(MODEL_FILES)}{found}; copy the file there")
    settings = _settings(Path(folder, "tokenizer_config.json"))
    own = settings.get("albertkit", {})
    if mode is None and not own and settings.get("do_lower_case") is False:
        raise CheckpointError(
            f"{Path(folder, 'tokenizer_config.json')}: do_lower_case false fits no mode for certain; "
            "name one (keras splits the text as it is)"
        )
    recorded = own.get("keep_accents", settings.get("keep_accents", False))
    return Tokenizer.from_file(
        path,
        mode=mode if mode is not None else own.get("mode", "google"),
        keep_accents=bool(recorded) if keep_accents is None else keep_accents,
    )


def write_directory(folder: str | os.PathLike[str], *, tokenizer: Tokenizer) -> list[str]:
    """Write the tokenizer files of a Hugging Face directory: the model, tokenizer.json and the settings.

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
    content = tokenizer_json(tokenizer)
    target = Path(folder)
    with atomic_file(target / "spiece.model") as temporary:
        temporary.write_bytes(tokenizer.vocabulary.model)
    write_text(target / "tokenizer.json", json.dumps(content, ensure_ascii=False, separators=(",", ":")))
    tokens: dict[str, Any] = {
        "bos_token": "[CLS]",
        "eos_token": "[SEP]",
        "unk_token": "<unk>",
        "sep_token": "[SEP]",
        "pad_token": "<pad>",
        "cls_token": "[CLS]",
        "mask_token": "[MASK]",
    }
    write_json(target / "special_tokens_map.json", tokens)
    write_json(
        target / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": _MAX_LENGTH,
            "model_input_names": ["input_ids", "token_type_ids", "attention_mask"],
            "clean_up_tokenization_spaces": False,
            "do_lower_case": tokenizer.normalization.case is not None,
            "keep_accents": tokenizer.normalization.strip is None,
            "remove_space": True,
            **tokens,
            "albertkit": {"mode": tokenizer.mode, "keep_accents": tokenizer.keep_accents},
        },
    )
    return ["spiece.model", "tokenizer.json", "special_tokens_map.json", "tokenizer_config.json"]


def find_tokenizer(name: str, *, mode: str | None = None, keep_accents: bool | None = None) -> Tokenizer:
    """Return the tokenizer of a known English model, of a directory or of a SentencePiece file.

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
            raise UsageError(f'"{name}" has a WordPiece vocabulary, which is not supported; name an English model')
        return Tokenizer.official(mode=mode or "google", keep_accents=bool(keep_accents))
    path = Path(name)
    if path.is_file():
        return Tokenizer.from_file(path, mode=mode or "google", keep_accents=bool(keep_accents))
    if path.is_dir():
        inner = path / "model"
        run = inner.is_dir() and not any((path / file).is_file() for file in MODEL_FILES)
        return read_directory(inner if run else path, mode=mode, keep_accents=keep_accents)
    raise UsageError(
        f'no tokenizer "{name}"{did_you_mean(name, PUBLISHED)} (a known model, a directory with {MODEL_FILES[0]}, '
        "or a SentencePiece file)"
    )


def _settings(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: cannot be read as JSON ({error}); repair it or delete it") from error
    if not isinstance(settings, dict) or not isinstance(settings.get("albertkit", {}), dict):
        raise CheckpointError(f"{path}: not a mapping of names to values; repair it or delete it")
    return settings
