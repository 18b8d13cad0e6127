"""Write the tokenizer files of a Hugging Face directory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from albertkit.io.files import atomic_file, write_json, write_text
from albertkit.text.settings import JSON_FILE, SETTINGS_FILE, VOCABULARIES

JSON_DIGEST = "tokenizer_json"
"""Key of a folder's record for the sha256 of the tokenizer.json that was written into it."""

_MAX_LENGTH = 512  # tokens; the published position embeddings


def write_tokenizer_files(
    folder: Path,
    *,
    vocabulary: tuple[str, bytes],
    content: dict[str, Any] | None,
    steps: Mapping[str, Any],
    specials: Sequence[str],
    record: Mapping[str, Any],
) -> list[str]:
    """Write the vocabulary, tokenizer.json and the settings.

    `tokenizer_class` is the general class, which loads `tokenizer.json` unchanged. transformers 5 would rebuild
    `AlbertTokenizer` from only the pieces, with its own rules for quotes and accents.

    Args:
        folder: the directory, which is made where it is missing.
        vocabulary: name and content of its file.
        content: content of tokenizer.json; None where that file is the vocabulary.
        steps: what transformers' settings say of the text's processing.
        specials: padding, unknown, [CLS], [SEP], [MASK].
        record: what `read_directory` and `self_test` find under "albertkit".

    Returns:
        The names of the files.

    Raises:
        WriteError: the system refused.
    """
    name, model = vocabulary
    with atomic_file(folder / name) as temporary:
        temporary.write_bytes(model)
    for other in (*VOCABULARIES[: VOCABULARIES.index(name)], "added_tokens.json"):  # would be read before or with this
        (folder / other).unlink(missing_ok=True)
    written: dict[str, str] = {}
    if content is not None:
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        write_text(folder / JSON_FILE, text)
        written = {JSON_DIGEST: hashlib.sha256(text.encode()).hexdigest()}
    pad, unk, cls, sep, mask = specials
    tokens: dict[str, Any] = {
        "bos_token": cls,
        "eos_token": sep,
        "unk_token": unk,
        "sep_token": sep,
        "pad_token": pad,
        "cls_token": cls,
        "mask_token": mask,
    }
    write_json(folder / "special_tokens_map.json", tokens)
    write_json(
        folder / SETTINGS_FILE,
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": _MAX_LENGTH,
            "model_input_names": ["input_ids", "token_type_ids", "attention_mask"],
            "clean_up_tokenization_spaces": False,
            **steps,
            **tokens,
            "albertkit": {**record, **written},
        },
    )
    return [*dict.fromkeys((name, JSON_FILE)), "special_tokens_map.json", SETTINGS_FILE]
