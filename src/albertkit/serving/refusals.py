"""Refusal: a request that is not answered, with its status and one sentence."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

Problem = Callable[[int, str, str], tuple[int, Mapping[str, Any]]]
"""Takes the status, the sentence and the request's id; returns the status and the body in a client's own form."""


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


def own_problem(status: int, message: str, request_id: str) -> tuple[int, Mapping[str, Any]]:
    """Return the form of albertkit's own paths, see `Problem`."""
    return status, {"error": {"status": status, "message": message, "request_id": request_id}}


def refusal_body(problem: Mapping[str, Any]) -> bytes:
    r"""Return the JSON of a response that refuses.

    >>> refusal_body(own_problem(404, "no", "r1")[1]).decode()
    '{"error": {"status": 404, "message": "no", "request_id": "r1"}}'
    """
    # ASCII only: a label that a client asked for may hold half a character, which UTF-8 cannot say.
    return json.dumps(problem).encode("ascii")
