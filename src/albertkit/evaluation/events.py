"""Events: the lines of a run's `metrics.jsonl`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from albertkit.errors import RunError

FILE_NAME = "metrics.jsonl"


def read_events(run: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Read the events of a run directory, each a mapping with a whole `step`.

    A run that was killed may leave an incomplete last line, which is skipped.

    Raises:
        RunError: the file cannot be read, or another line is not an event.
    """
    path = Path(run) / FILE_NAME
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror}); give the directory of a run") from error
    lines = content.split(b"\n")
    if not _is_event(_parsed(lines[-1])):
        lines.pop()
    events: list[dict[str, Any]] = []
    for number, line in enumerate(lines, start=1):
        event = _parsed(line)
        if not _is_event(event):
            said = line[:60].decode("utf-8", "backslashreplace")
            raise RunError(
                f"{path}, line {number}: {said!r} is not an event of a run (a JSON object with a whole number as "
                '"step"); delete that line'
            )
        events.append(event)
    return events


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError
        return None


def _is_event(event: Any) -> bool:
    step = event.get("step") if isinstance(event, dict) else None
    return isinstance(step, int) and not isinstance(step, bool) and 0 <= step < 2**63
