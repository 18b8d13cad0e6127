"""Where a MODEL argument leads (a folder or file of any format, an archive, a run, a known name), and its tokenizer."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path

from albertkit.checkpoints import READ_AS_IT_IS, Checkpoint, ReadOptions, read_checkpoint
from albertkit.config import PUBLISHED, nearest_model
from albertkit.errors import UsageError
from albertkit.text.added_tokens import AddedTokenError
from albertkit.text.any_tokenizer import AnyTokenizer
from albertkit.text.directory import VOCABULARIES, read_tokenizer_files
from albertkit.text.missing import MissingTokenizer
from albertkit.text.self_test import self_test
from albertkit.text.tokenizer import Tokenizer

SHIPPED = "albert-nano"
"""The model whose weights come with albertkit."""

_PADDING = 128  # rows of the embeddings that software adds at most, to make their number a round one


def model_path(name: str | os.PathLike[str]) -> Path | None:
    """Return the folder or file that a MODEL argument means, or None when it is a known name.

    Raises:
        UsageError: neither a path that is there nor a known name.
    """
    path = Path(name)
    if path.exists():
        inner = path / "model"
        return inner if inner.is_dir() and not (path / "model.safetensors").exists() else path
    if path.with_name(path.name + ".index").exists():  # the prefix of a TensorFlow checkpoint
        return path
    if str(name) in PUBLISHED:
        return None
    near = nearest_model(str(name))
    raise UsageError(
        f'model "{name}" is neither a path that is there nor a known name{near}; albertkit models lists them'
    )


def shipped_folder() -> Path:
    """Return the folder with the weights that come with albertkit; its tokenizer is the official one."""
    return Path(str(resources.files("albertkit") / "assets" / SHIPPED))


def official_vocabulary() -> Path:
    """Return the SentencePiece model of all English ALBERT models, which comes with albertkit."""
    return Path(str(resources.files("albertkit") / "assets" / "30k-clean.model"))


def read_model(name: str | os.PathLike[str], options: ReadOptions = READ_AS_IT_IS) -> Checkpoint:
    """Read what a MODEL argument means.

    Args:
        name: a known name, a path in any known format, an archive of one, or a run directory.
        options: what to take instead of (or for want of) what the files say.

    A known model that is not here is downloaded after a question at the terminal.

    Raises:
        UsageError: an unknown name.
        DownloadError: a known name whose weights are not here and could not or should not be fetched.
        CheckpointError: the files are not a model, or do not fit their configuration.
        ConfigError: a configuration that cannot be.
    """
    path = model_path(name)
    if path is None:
        path = shipped_folder() if str(name) == SHIPPED else known_folder(str(name))
    return read_checkpoint(path, options)


def known_folder(name: str) -> Path:
    """Return the folder of a known model, from the cache or, after a question, from where it is published.

    Raises:
        DownloadError: it is not here and could not or should not be fetched.
    """
    # Here, since most loads need no network and its libraries take a tenth of a second to import.
    from albertkit.hub.download import fetch_model
    from albertkit.io.progress import Console

    return fetch_model(name, tell=Console())


def tokenizer_of(checkpoint: Checkpoint) -> tuple[AnyTokenizer, tuple[str, ...]]:
    """Return the tokenizer that goes with a checkpoint, and what there is to say of it.

    Where the files hold none, English models get the official vocabulary; where what they hold does not fit the number
    of embeddings, or tokens were added that no file explains, it is a `MissingTokenizer`: all that works on ids works.

    Raises:
        CheckpointError: tokenizer files that cannot be read.
        MissingExtraError: a vocabulary that the tokenizers library splits, which is not installed.
    """
    files, embeddings = checkpoint.tokenizer_files, checkpoint.config.vocab_size
    if checkpoint.source == str(shipped_folder()):
        return Tokenizer.official(), ()
    vocabulary = next((name for name in VOCABULARIES if name in files), None)
    if vocabulary is None:
        official = Tokenizer.official()
        if official.vocab_size == embeddings:
            return official, (f"{checkpoint.source}: holds no spiece.model; the official English vocabulary is used",)
        reason = f"{checkpoint.source}: holds no tokenizer; put the spiece.model (or vocab.txt) of the model beside it"
        return MissingTokenizer(reason), (reason,)
    try:
        tokenizer = read_tokenizer_files(files, mode=None if vocabulary == "vocab.txt" else checkpoint.tokenizer_mode)
    except AddedTokenError as error:
        return MissingTokenizer(str(error)), (str(error),)
    said: tuple[str, ...] = ()
    if vocabulary == "tokenizer.json" and isinstance(tokenizer, Tokenizer):  # transformers 5 saves it alone
        said = (f"{checkpoint.source}: holds no spiece.model; the official English vocabulary is used",)
    found = tokenizer.vocab_size
    if not embeddings - _PADDING < found <= embeddings or found < 0.9 * embeddings:
        reason = (
            f"{files[vocabulary]}: has {found} pieces, the network {embeddings} embeddings, so it is not the model's "
            "tokenizer and is passed over; bring the right one"
        )
        return MissingTokenizer(reason), (reason,)
    return tokenizer, (*said, *self_test(tokenizer, files[vocabulary].parent))
