"""MissingTokenizer: stands where a model's files hold no tokenizer that fits its vocabulary."""

from __future__ import annotations

from typing import Any, NoReturn

from albertkit.errors import CheckpointError


class MissingTokenizer:
    """Has no method: whatever is asked of it raises the reason; the network beside it works on ids all the same.

    >>> MissingTokenizer("m: holds no tokenizer").encode("text")
    Traceback (most recent call last):
    ...
    albertkit.errors.CheckpointError: m: holds no tokenizer

    Args:
        reason: one sentence for the user.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):  # copying and pickling ask for these
            raise AttributeError(name)
        raise CheckpointError(self.reason)

    def __call__(self, *_: Any, **__: Any) -> NoReturn:
        """Raise the reason.

        Raises:
            CheckpointError: always.
        """
        raise CheckpointError(self.reason)
