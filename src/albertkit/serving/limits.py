"""Limits: what one request may ask for, how many wait, and for how long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from albertkit.errors import UsageError
from albertkit.predictor import BATCH_TOKENS
from albertkit.serving.refusals import Refusal

CONNECTIONS = 900
"""Open connections at most, below the 1,024 files that a process may have open by default."""


@dataclass(frozen=True)
class Limits:
    """The bounds of a server.

    Raises:
        UsageError: a number that cannot be.
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
    """Tokens that the model reads for one request. An explanation reads a text once for each of its words."""

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            option = "--" + entry.name.replace("_", "-")
            if entry.name == "batch_wait":
                if not 0 <= value <= 1000:
                    raise UsageError(f"{option} is {value}; it is 0 to 1000 milliseconds")
            elif not 0 < value < float("inf"):
                raise UsageError(f"{option} is {value}; it must be above 0")

    def check_texts(self, name: str, texts: Sequence[str]) -> None:
        """Refuse too many texts or too long ones.

        >>> Limits().check_texts("text", ["short"])

        Args:
            name: of the field.
            texts: its texts.

        Raises:
            Refusal: 422.
        """
        if len(texts) > self.max_texts:
            raise Refusal(
                422, f'"{name}" holds {len(texts)} texts and a request may hold {self.max_texts}; send several requests'
            )
        for number, text in enumerate(texts):
            if len(text) > self.max_characters:
                which = f'the "{name}"' if len(texts) == 1 else f'text {number} of "{name}"'
                raise Refusal(
                    422,
                    f"{which} has {len(text):,} characters and may have {self.max_characters:,}; send it in parts",
                )

    def check_tokens(self, tokens: int) -> None:
        """Refuse what would keep the model too long.

        Raises:
            Refusal: 422.
        """
        if tokens > self.max_tokens:
            raise Refusal(
                422,
                f"the model would read {tokens:,} tokens for this request and may read {self.max_tokens:,}; "
                "send fewer or shorter texts",
            )
