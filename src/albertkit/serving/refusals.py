"""Refusal: a request that is not answered, with its status and one sentence."""

from __future__ import annotations

import json
from collections.abc import Mapping


class Refusal(Exception):  # noqa: N818 - nothing went wrong here
    """Raised anywhere on the way of a request.

    Args:
        status: HTTP status code.
        message: one sentence: what was wrong, and what to do. It never holds the user's text.
        headers: further ones of the response.
    """

    def __init__(self, status: int, message: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = dict(headers or {})


def refusal_body(status: int, message: str, *, request_id: str) -> bytes:
    r"""Return the JSON of a response that refuses.

    >>> refusal_body(404, "no", request_id="r1").decode()
    '{"error": {"status": 404, "message": "no", "request_id": "r1"}}'
    """
    # ASCII only: a label that a client asked for may hold half a character, which UTF-8 cannot say.
    return json.dumps({"error": {"status": status, "message": message, "request_id": request_id}}).encode("ascii")
