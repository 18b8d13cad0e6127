"""The tokenizer that a MODEL argument means, with or without its weights. Without torch where no weights are read."""

from __future__ import annotations

import os
from pathlib import Path

from albertkit.checkpoints import Checkpoint, is_checkpoint
from albertkit.config import PUBLISHED
from albertkit.errors import CheckpointError
from albertkit.hub.known_models import SHIPPED_MODEL, cached_model_folder
from albertkit.models.loaded import announce
from albertkit.models.model_files import model_path, model_source, read_model
from albertkit.text.added_tokens import AddedTokenError
from albertkit.text.any_tokenizer import AnyTokenizer
from albertkit.text.directory import read_directory, read_tokenizer_files
from albertkit.text.missing import MissingTokenizer
from albertkit.text.self_test import self_test
from albertkit.text.settings import JSON_FILE, MODEL_FILES, SETTINGS_FILE, VOCABULARIES, WORDPIECE_FILE
from albertkit.text.tokenizer import Tokenizer

_FILES = {".model": MODEL_FILES[0], ".txt": WORDPIECE_FILE, ".json": JSON_FILE}
"""Suffix of a file -> what a Hugging Face directory calls such a file."""

_PADDING = 128  # rows of the embeddings that software adds at most, to make their number a round one


def load_tokenizer(
    name: str | os.PathLike[str], *, mode: str | None = None, keep_accents: bool | None = None
) -> AnyTokenizer:
    """Load the tokenizer of a model; what its self-test finds is a warning.

    >>> load_tokenizer("albert-nano").vocab_size
    30000

    Args:
        name: a known name, a model in any format, a run directory, a folder with only a tokenizer, or a tokenizer file
            (a SentencePiece model, a vocab.txt or a tokenizer.json).
        mode: the implementation whose ids to reproduce; default: what the files record, else google.
        keep_accents: do not drop accents; default: what the files record.

    Raises:
        UsageError: an unknown name, or a mode that does not go with the vocabulary.
        DownloadError: a Chinese model that is not here and could not or should not be fetched.
        CheckpointError: the files cannot be read, or hold no tokenizer that fits the model.
        MissingExtraError: a vocabulary that the tokenizers library splits, which is not installed.
    """
    tokenizer, notes = find_tokenizer(name, mode=mode, keep_accents=keep_accents)
    announce(notes)
    return tokenizer


def find_tokenizer(
    name: str | os.PathLike[str], *, mode: str | None = None, keep_accents: bool | None = None
) -> tuple[AnyTokenizer, tuple[str, ...]]:
    """Return the tokenizer of a model and what there is to say of it.

    It is the tokenizer that `load_model` gives the same model. Weights are only opened where a model does not hold its
    tokenizer with settings, as Hugging Face folders do.

    Args, Raises: as `load_tokenizer`.
    """
    path = model_path(name)
    if (
        path is None and str(name) in PUBLISHED and not str(name).endswith("-zh")
    ):  # all English models have the same one
        return _official(mode, keep_accents), ()
    path = path or model_source(name)
    if path.is_file() and (path.suffix in _FILES or not is_checkpoint(path)):
        files = {_FILES.get(path.suffix, MODEL_FILES[0]): path}
        return read_tokenizer_files(files, mode=mode, keep_accents=keep_accents), ()
    complete = (path / SETTINGS_FILE).is_file() and any((path / file).is_file() for file in VOCABULARIES)
    if complete or (path.is_dir() and not is_checkpoint(path)):
        return read_tested_directory(path, mode=mode, keep_accents=keep_accents)
    tokenizer, notes = tokenizer_of(read_model(path), mode=mode, keep_accents=keep_accents)
    if isinstance(tokenizer, MissingTokenizer):
        raise CheckpointError(tokenizer.reason)
    return tokenizer, notes


def read_tested_directory(
    folder: Path, *, mode: str | None = None, keep_accents: bool | None = None
) -> tuple[AnyTokenizer, tuple[str, ...]]:
    """Read the tokenizer of a Hugging Face directory, and compare it with what the directory says of it.

    Raises:
        CheckpointError, UsageError, MissingExtraError: as `read_directory`.
    """
    tokenizer = read_directory(folder, mode=mode, keep_accents=keep_accents)
    return tokenizer, self_test(tokenizer, folder)


def tokenizer_of(
    checkpoint: Checkpoint, *, mode: str | None = None, keep_accents: bool | None = None
) -> tuple[AnyTokenizer | MissingTokenizer, tuple[str, ...]]:
    """Return the tokenizer that goes with a checkpoint, and what there is to say of it.

    Where the files hold none, English models get the official vocabulary; where what they hold does not fit the number
    of embeddings, or tokens were added that no file explains, it is a `MissingTokenizer`: all that works on ids works.

    Args:
        checkpoint: the model.
        mode: the implementation whose ids to reproduce; default: what the checkpoint says.
        keep_accents: what the checkpoint says when left out.

    Raises:
        CheckpointError: tokenizer files that cannot be read.
        UsageError: the mode does not go with the vocabulary.
        MissingExtraError: a vocabulary that the tokenizers library splits, which is not installed.
    """
    files, embeddings, source = checkpoint.tokenizer_files, checkpoint.config.vocab_size, checkpoint.source
    assumed = f"{source}: holds no spiece.model; the official English vocabulary is used"
    vocabulary = next((name for name in VOCABULARIES if name in files), None)
    if vocabulary is None:
        official = _official(mode, keep_accents)
        if official.vocab_size == embeddings:
            return official, () if source == str(cached_model_folder(SHIPPED_MODEL)) else (assumed,)
        reason = f"{source}: holds no tokenizer; copy the model's spiece.model (or vocab.txt) into its folder"
        return MissingTokenizer(reason), (reason,)
    own = None if vocabulary == WORDPIECE_FILE else checkpoint.tokenizer_mode
    try:
        tokenizer = read_tokenizer_files(files, mode=mode or own, keep_accents=keep_accents)
    except AddedTokenError as error:
        return MissingTokenizer(str(error)), (str(error),)
    said: tuple[str, ...] = ()
    if vocabulary == JSON_FILE and isinstance(tokenizer, Tokenizer):  # transformers 5 saves only this file
        said = (assumed,)
    found = tokenizer.vocab_size
    if not embeddings - _PADDING < found <= embeddings or found < 0.9 * embeddings:
        reason = (
            f"{files[vocabulary]}: has {found} pieces, the network {embeddings} embeddings, so it is not the model's "
            "tokenizer and is ignored; replace it with the right one"
        )
        return MissingTokenizer(reason), (reason,)
    return tokenizer, (*said, *self_test(tokenizer, files[vocabulary].parent))


def _official(mode: str | None, keep_accents: bool | None) -> Tokenizer:
    return Tokenizer.official(mode=mode or "google", keep_accents=bool(keep_accents))
