"""The tokenizer files of a folder: their names, read whole and within bounds, and what `tokenizer_config.json` says."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from albertkit.errors import CheckpointError

MODEL_FILES = ("spiece.model", "30k-clean.model")
"""Names of the SentencePiece model in a directory, in the order they are looked for."""

WORDPIECE_FILE = "vocab.txt"
"""Name of the WordPiece vocabulary, which counts where no SentencePiece model is."""

JSON_FILE = "tokenizer.json"
"""Name of the tokenizers library's file, which counts where there is no other, or where it holds added tokens."""

VOCABULARIES = (*MODEL_FILES, WORDPIECE_FILE, JSON_FILE)

SETTINGS_FILE = "tokenizer_config.json"

_MOST_BYTES = 64 * 2**20  # the official vocabulary has 0.8 MB, its tokenizer.json 1.3 MB


def read_bounded(path: str | os.PathLike[str]) -> bytes:
    """Return the content of a file that belongs to a tokenizer.

    Raises:
        CheckpointError: it cannot be read, or is far too large for such a file.
    """
    try:
        with open(path, "rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise CheckpointError(f"{os.fspath(path)}: cannot be read ({error.strerror})") from error
    if len(content) > _MOST_BYTES:
        raise CheckpointError(
            f"{os.fspath(path)}: more than {_MOST_BYTES} bytes, which no file of a tokenizer has; copy it again"
        )
    return content


def read_settings(path: Path) -> dict[str, Any]:
    """Return the content of `tokenizer_config.json`; nothing where the file is missing.

    Raises:
        CheckpointError: not JSON, not a mapping, or what albertkit recorded there has another form.
    """
    if not path.is_file():
        return {}
    try:
        settings = json.loads(read_bounded(path))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: cannot be read as JSON ({error}); repair it or delete it") from error
    if not isinstance(settings, dict) or not isinstance(settings.get("albertkit", {}), dict):
        raise CheckpointError(f"{path}: not a mapping of names to values; repair it or delete it")
    return settings
