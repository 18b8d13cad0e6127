"""Wrap the tokenizers library: load a tokenizer.json, and turn the library's errors and panics into albertkit's."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from albertkit.errors import CheckpointError, MissingExtraError

if TYPE_CHECKING:
    import tokenizers

Value = TypeVar("Value")


def library_tokenizer(content: str | bytes, *, where: str) -> tokenizers.Tokenizer:
    """Build a tokenizer.

    Args:
        content: content of a `tokenizer.json`.
        where: what an error message calls it.

    Raises:
        CheckpointError: the library cannot use it.
        MissingExtraError: the library is not installed.
    """
    try:
        import tokenizers
    except ImportError as error:
        raise MissingExtraError("tokenizers", extra="chinese", purpose=f"splitting text by {where}") from error
    return asked(
        lambda: tokenizers.Tokenizer.from_str(content if isinstance(content, str) else content.decode()), where=where
    )


def asked(call: Callable[[], Value], *, where: str) -> Value:
    """Return what a call of the library gives.

    Args:
        call: what to do.
        where: the file that the library works with, which its errors are about.

    Raises:
        CheckpointError: the library refuses, or panics.
    """
    try:
        return call()
    except Exception as error:
        raise CheckpointError(f"{where}: the tokenizers library cannot use it ({error!s:.80})") from error
    except BaseException as error:  # a panic of the library is no Exception
        if type(error).__name__ != "PanicException":
            raise
        raise CheckpointError(f"{where}: the tokenizers library cannot use it (it panics)") from error
