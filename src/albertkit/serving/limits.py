"""Limits: what one request may ask for, how many wait, and for how long."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from albertkit.errors import UsageError
from albertkit.inference.running import BATCH_TOKENS
from albertkit.serving.refusals import Refusal

CONNECTIONS = 900
"""Open connections at most, below the 1,024 files that a process may have open by default."""


_SLICE = 64
"""Characters that are taken apart at once: Python sorts marks in a bad order by insertion, and no other thread runs."""


@dataclass(frozen=True)
class Limits:
    """The bounds of a server.

    Raises:
        UsageError: an invalid number.
    """

    batch_tokens: int = BATCH_TOKENS
    """Tokens of one forward pass at most; a longer sequence is a pass of its own."""
    batch_wait: float = 2.0
    """Milliseconds that a pass which is not full waits for further requests."""
    queue: int = 128
    """Requests that are accepted and not yet answered, at most."""
    deadline: float = 30.0
    """Seconds from the last byte of a request to its answer."""
    max_body: int = 1_000_000
    """Bytes of a request's body."""
    body_seconds: float = 10.0
    """Seconds that a client may take to send its request line and headers, and again its body."""
    max_texts: int = 64
    """Texts (or pairs) of a request."""
    max_characters: int = 100_000
    """Characters of one text."""
    max_tokens: int = 65_536
    """Tokens that are read for one request. An explanation reads a text once for each of its words."""

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            option = "--" + entry.name.replace("_", "-")
            if entry.name == "batch_wait":
                if not 0 <= value <= 1000:
                    raise UsageError(f"{option} is {value}; it is 0 to 1000 milliseconds")
            elif not 0 < value < float("inf"):
                raise UsageError(f"{option} is {value}; it must be above 0")

    def check_texts(self, by_field: Mapping[str, Sequence[str | Sequence[int]]]) -> int:
        """Refuse too many texts or too long ones, and return their characters.

        Characters count as what Unicode's NFKD makes of them: the tokenizer reads 18 for the ligature U+FDFA.

        >>> Limits().check_texts({"text": ["short", "\ufb01ne"]})
        9

        Args:
            by_field: name of the field -> its texts; of token ids each counts as a character.

        Raises:
            Refusal: 422; 413 where all texts together have more characters than a body may have bytes.
        """
        total = 0
        for name, texts in by_field.items():
            if len(texts) > self.max_texts:
                raise Refusal(
                    422,
                    f'"{name}" holds {len(texts)} texts and the limit per request is {self.max_texts}; send several '
                    "requests",
                )
            for number, text in enumerate(texts):
                which = f'the "{name}"' if len(texts) == 1 else f'text {number} of "{name}"'
                total += self._characters(text, which) if isinstance(text, str) else len(text)
                if total > self.max_body:
                    raise Refusal(
                        413,
                        f"the texts have more than {self.max_body:,} characters once ligatures and the like are taken "
                        "apart (Unicode NFKD); send several requests",
                    )
        return total

    def _characters(self, text: str, which: str) -> int:
        if len(text) > self.max_characters:
            raise Refusal(
                422, f"{which} has {len(text):,} characters; the limit is {self.max_characters:,}; send it in parts"
            )
        if text.isascii():
            return len(text)
        total = 0
        for start in range(0, len(text), _SLICE):  # no more work than the limit allows
            total += len(unicodedata.normalize("NFKD", text[start : start + _SLICE]))
            if total > self.max_characters:
                raise Refusal(
                    422,
                    f"{which} has more than the {self.max_characters:,} characters that it may have once ligatures and "
                    "the like are taken apart (Unicode NFKD); send it in parts",
                )
        return total

    def check_tokens(self, tokens: int) -> None:
        """Refuse what would keep the model too long.

        Raises:
            Refusal: 422.
        """
        if tokens > self.max_tokens:
            raise Refusal(
                422,
                f"{tokens:,} tokens exceed the limit of {self.max_tokens:,} tokens per request; send fewer or "
                "shorter texts",
            )
