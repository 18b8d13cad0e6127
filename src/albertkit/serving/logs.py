"""Logs: one JSON object per line, one line per request, never a word of the users' texts."""

from __future__ import annotations

import json
import logging
import re
import time
import traceback
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, TextIO

from albertkit.serving.refusals import Problem, own_problem

_LOGGER = logging.getLogger("albertkit.serving")
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass
class Visit:
    """A request: what the log says of it, and the form of its refusal."""

    id: str
    """The client's own X-Request-Id, or a fresh one."""
    method: str
    path: str
    """One that the server knows, or "(unknown)": a client could write anything there."""
    started: float = field(default_factory=time.monotonic)
    status: int = 0
    """Of the answer; 499 where the client left; 0 before."""
    texts: int = 0
    """Sequences that the model read."""
    tokens: int = 0
    """Their tokens."""
    waited: float = 0.0
    """Seconds in the queue."""
    problem: Problem = own_problem
    """The form of a refusal, which is not logged."""

    def fields(self) -> dict[str, Any]:
        """Return the entries of its line.

        >>> Visit("r1", "GET", "/health", status=200).fields()["status"]
        200
        """
        return {
            "request_id": self.id,
            "method": self.method,
            "path": self.path,
            "status": self.status,
            "seconds": round(time.monotonic() - self.started, 4),
            "queue_seconds": round(self.waited, 4),
            "texts": self.texts,
            "tokens": self.tokens,
        }


def request_id(given: str | None) -> str:
    """Return the client's id if it is one that a log may hold, else a fresh one.

    >>> request_id("job-7"), len(request_id("two words"))
    ('job-7', 32)
    """
    return given if given is not None and _ID.fullmatch(given) else uuid.uuid4().hex


def log(event: str, *, level: int = logging.INFO, **fields: Any) -> None:
    """Write a line.

    Args:
        event: what happened, in a word or two.
        level: a level of `logging`.
        fields: further entries, JSON-ready, without users' texts.
    """
    _LOGGER.log(level, event, extra={"fields": fields})


def where(error: BaseException) -> Mapping[str, Any]:
    """Return an error's type and the lines of code that it came through, without its words: they may hold texts."""
    frames = traceback.extract_tb(error.__traceback__)
    return {
        "error": type(error).__name__,
        "frames": [f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in frames[-12:]],
    }


class JsonFormatter(logging.Formatter):
    """Records of ours and of uvicorn as JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        fields = getattr(record, "fields", None)
        entries = {
            "time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage() if fields is not None else record.name,
            **(fields if fields is not None else {"message": record.getMessage()}),
        }
        if record.exc_info and record.exc_info[1] is not None:
            entries |= where(record.exc_info[1])
        return json.dumps(entries)


def write_logs_to(stream: TextIO) -> None:
    """Send the server's lines, and uvicorn's warnings, to a stream."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    for name, level in (("albertkit.serving", logging.INFO), ("uvicorn", logging.WARNING), ("asyncio", logging.ERROR)):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(level)
        logger.propagate = False
