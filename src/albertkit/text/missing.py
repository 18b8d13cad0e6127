"""MissingTokenizer: placeholder for a model whose files hold no tokenizer that fits its vocabulary."""

from __future__ import annotations

from typing import Any, NoReturn

from albertkit.errors import CheckpointError
from albertkit.text.any_tokenizer import AnyTokenizer


class MissingTokenizer(AnyTokenizer):
    """Placeholder: every method raises an error with the reason; the model's network still works on ids.

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
        self._refuse()

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise CheckpointError(self.reason)

    save = special_id = tokenize = ids = json_content = _steps = _text_of = _part_tokens = _refuse
    all_pieces = scores = property(_refuse)

    def _batch_ids(self, texts: list[str], threads: int | None) -> list[list[int]]:
        self._refuse(texts, threads)
