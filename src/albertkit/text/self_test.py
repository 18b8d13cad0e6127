"""Compare a tokenizer with what the folder that it comes from says of it.

Weights do not show that they are read with another tokenizer than they were trained with: they only answer worse. So a
saved folder records what its tokenizer makes of a dozen texts (`self_test_record.py`), and loading compares. A folder
that others saved is compared with its own `tokenizer.json`, and the official vocabulary with what Google's code makes
of it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from albertkit.errors import CheckpointError
from albertkit.text.any_tokenizer import AnyTokenizer
from albertkit.text.json_tokenizer import JsonTokenizer, parsed
from albertkit.text.normalize import MODES
from albertkit.text.saved_folder import JSON_DIGEST
from albertkit.text.self_test_record import SELF_TEST_TEXTS, SELF_TEST_VERSION, digest_of
from albertkit.text.settings import read_bounded, read_settings
from albertkit.text.tokenizer import Tokenizer
from albertkit.text.tokenizers_library import asked, library_tokenizer
from albertkit.text.vocabulary import Vocabulary
from albertkit.text.wordpiece import WORDPIECE_MODES, WordPieceTokenizer

GOOGLE_IDS = (
    (24, 87, 13, 1, 1714, 22, 22, 2088, 15, 17, 13, 1, 251, 1, 13, 1, 13120, 1, 73, 32, 22, 18, 13, 7, 7509, 7, 9),
    (203, 9, 387, 15, 137, 11623, 15, 17, 13, 12974, 15, 148, 19, 3475, 15, 17, 172, 15, 290, 187),
    (6241, 121, 1004, 12791, 15, 16288, 7224, 45, 25, 13, 18, 1, 13, 5127, 15664, 7820, 18758, 13, 103, 1712),
    (14, 2231, 886, 2385, 22, 18, 21024, 15, 8935, 17, 9210),
    (326, 8, 2594, 13, 5, 291, 9, 18, 9, 6, 13, 11, 264, 13, 12, 240, 13, 10, 8405),
    (13, 1, 13, 1, 15, 808, 1),
    (5712, 184, 48, 129, 164, 20, 2853, 1333, 13, 1, 13, 60, 13, 1, 13, 1),
    (81, 7644, 15, 21, 6523, 17, 53, 91),
    (13, 96, 187, 18, 13, 1, 13, 1, 17, 13, 1, 15, 13, 1),
    (1123, 488, 15, 137, 1, 135, 137, 13, 38, 79, 2997, 14),
    (5428, 1, 62, 15, 1856, 1, 5608, 16012, 17, 4606, 9456),
    (367, 6752, 579, 15, 134, 8, 2929, 13, 62, 8, 8079, 1, 29041, 9, 960, 13, 8, 8, 4253, 187),
)
"""What google-research/albert (tokenization.py at b772393: preprocess_text(lower=True), then FullTokenizer) makes of
each text with the official vocabulary, data/30k-clean.model."""

# sha256 of the published file, data/30k-clean.model.
_OFFICIAL_MODEL = "fefb02b667a6c5c2fe27602d28e5fb3428f66ab89c7d6f388e7c8d44a02d0336"
_OFFICIAL_SIZE = 30000
# sha256 of the official pieces, a line feed after each.
_OFFICIAL_PIECES = "8ab91daffd672c2b8c6a15448ceec089e525869152c3267a5497a1716526473c"


def self_test(tokenizer: AnyTokenizer, folder: str | os.PathLike[str]) -> tuple[str, ...]:
    """Compare a tokenizer with what the folder that it comes from says of it.

    Some milliseconds; the tokenizers library is imported for a folder that somebody else's `tokenizer.json` is in.

    Args:
        tokenizer: as read from the folder.
        folder: the folder.

    Returns:
        One sentence for each thing that is wrong; none where all is well or nothing can be compared.

    Raises:
        CheckpointError: the folder's `tokenizer_config.json` cannot be read.
    """
    where = Path(folder)
    own = read_settings(where / "tokenizer_config.json").get("albertkit", {})
    record = own.get("self_test")
    found = _against_google(tokenizer)
    same_accents = bool(own.get("keep_accents")) == tokenizer.keep_accents
    if own and not (same_accents and own.get("mode", tokenizer.mode) == tokenizer.mode):
        return tuple(found)  # a mode other than the folder's own gives other ids
    if isinstance(record, dict):
        found += _against_record(tokenizer, record, where)
    if not isinstance(tokenizer, JsonTokenizer) and not _is_ours(where / "tokenizer.json", own):
        found += _against_tokenizer_json(tokenizer, where)
    return tuple(found)


def _against_record(tokenizer: AnyTokenizer, record: dict[str, Any], folder: Path) -> list[str]:
    if record.get("version") != SELF_TEST_VERSION:
        return []
    file = tokenizer.vocabulary_file
    exchanged = record.get("vocabulary") != hashlib.sha256(tokenizer.model).hexdigest()
    pairs = zip(SELF_TEST_TEXTS, str(record.get("ids")).split(" "), strict=False)
    first = next((text for text, digest in pairs if digest_of(tokenizer.plain_ids(text)) != digest), None)
    if first is None and not exchanged:
        return []
    example = f"; {_shown(first)} now gets other ids" if first is not None else ""
    if exchanged:
        return [f"{folder}: {file} is not the file that was saved with this model{example}; restore it"]
    return [
        f"{folder}: the tokenizer's settings differ from when this model was saved{example}; restore "
        "tokenizer_config.json, whose mode or accents were changed"
    ]


def _against_google(tokenizer: AnyTokenizer) -> list[str]:
    """Check a vocabulary that has the official pieces, whatever the mode, by Google's rules."""
    if not isinstance(tokenizer, Tokenizer) or not _has_official_pieces(tokenizer.vocabulary):
        return []
    google = MODES["google"]
    for text, ids in zip(SELF_TEST_TEXTS, GOOGLE_IDS, strict=True):
        if tokenizer.vocabulary.split(google.apply(text), digit_comma=True)[0] != list(ids):
            return [
                f"{tokenizer.vocabulary.where}: has the pieces of the official vocabulary but splits {_shown(text)} "
                "differently from Google's code; restore the published spiece.model"
            ]
    return []


def _has_official_pieces(vocabulary: Vocabulary) -> bool:
    if hashlib.sha256(vocabulary.model).hexdigest() == _OFFICIAL_MODEL:
        return True  # without a list of the pieces, which takes some ten milliseconds
    return are_official_pieces(vocabulary.pieces)


def are_official_pieces(pieces: Sequence[str]) -> bool:
    """Return whether pieces by id are those of the official vocabulary."""
    if len(pieces) != _OFFICIAL_SIZE:
        return False
    joined = "".join(f"{piece}\n" for piece in pieces)
    return hashlib.sha256(joined.encode("utf-8", "replace")).hexdigest() == _OFFICIAL_PIECES


def _is_ours(path: Path, own: Mapping[str, Any]) -> bool:
    """Return whether a tokenizer.json is the one that albertkit wrote into the folder."""
    try:
        return path.is_file() and hashlib.sha256(read_bounded(path)).hexdigest() == own.get(JSON_DIGEST)
    except CheckpointError:
        return False


def _against_tokenizer_json(tokenizer: AnyTokenizer, folder: Path) -> list[str]:
    path = folder / "tokenizer.json"
    if not path.is_file():
        return []
    if importlib.util.find_spec("tokenizers") is None:
        return _against_its_pieces(tokenizer, path)
    try:
        theirs = library_tokenizer(read_bounded(path), where=str(path))
        theirs.no_truncation()
        theirs.no_padding()
        expected = asked(
            lambda: [list(theirs.encode(text, add_special_tokens=False).ids) for text in SELF_TEST_TEXTS],
            where=str(path),
        )
    except CheckpointError as error:
        return [f"{error}; transformers reads this file, albertkit does not"]
    if (first := _first_difference(tokenizer, expected)) is None:
        return []
    fitting = [mode for mode in _modes(tokenizer) if _first_difference(_in_mode(tokenizer, mode), expected) is None]
    # The published tokenizer.json has the rule for quotes of transformers, which Google's code, with which the weights
    # were trained, has not: known, and no sign that a file is wrong.
    if tokenizer.mode == "google" and "huggingface" in fitting:
        return []
    if fitting:
        return [
            f"{path}: splits {_shown(first)} as mode {fitting[0]} does, not as mode {tokenizer.mode}, which is used; "
            f"name the mode {fitting[0]} if the model was trained with this file"
        ]
    return [
        f"{path}: gives other ids for {_shown(first)} than the vocabulary in its folder in mode {tokenizer.mode}, "
        "which albertkit uses, so transformers and albertkit read texts differently here; some software builds this "
        "file from spiece.model wrongly, and a folder saved by albertkit holds a correct one"
    ]


def _against_its_pieces(tokenizer: AnyTokenizer, path: Path) -> list[str]:
    """Compare ids by the list of pieces: how the file splits texts only the tokenizers library can tell."""
    try:
        vocabulary = parsed(read_bounded(path), where=str(path))["model"].get("vocab")
    except CheckpointError as error:
        return [f"{error}; transformers reads this file, albertkit does not"]
    ids: Mapping[Any, Any] = vocabulary if isinstance(vocabulary, dict) else {}
    if isinstance(vocabulary, list):
        ids = {str(entry[0]): number for number, entry in enumerate(vocabulary) if isinstance(entry, list) and entry}
    for number, piece in enumerate(tokenizer.all_pieces):
        if ids.get(piece) != number:
            return [
                f'{path}: gives the piece "{piece:.60}" the id {ids.get(piece)!s:.40}, but the vocabulary in its '
                f"folder, which albertkit uses, gives {number}; transformers uses tokenizer.json: remove the file "
                "that is not the model's"
            ]
    return []


def _first_difference(tokenizer: AnyTokenizer, expected: list[list[int]]) -> str | None:
    pairs = zip(SELF_TEST_TEXTS, expected, strict=True)
    return next((text for text, ids in pairs if tokenizer.plain_ids(text) != ids), None)


def _modes(tokenizer: AnyTokenizer) -> tuple[str, ...]:
    return tuple(MODES) if isinstance(tokenizer, Tokenizer) else WORDPIECE_MODES


def _in_mode(tokenizer: AnyTokenizer, mode: str) -> AnyTokenizer:
    if isinstance(tokenizer, WordPieceTokenizer):
        lower = tokenizer.lower
        return WordPieceTokenizer(tokenizer.model, mode=mode, lower=lower, keep_accents=tokenizer.keep_accents)
    return Tokenizer(tokenizer.model, mode=mode, keep_accents=tokenizer.keep_accents)


def _shown(text: str) -> str:
    return f'"{text.strip()}"'
