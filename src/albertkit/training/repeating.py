"""The command that repeats a run, from its settings."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields
from typing import Any

from albertkit.training.shared_settings import SharedSettings

REPEATED = ("data", "unlabelled", "track")
"""Settings whose values are options of their own each; other lists are one option with commas."""


def repeating_command(command: str, settings: SharedSettings) -> str:
    """Return the command line that does the same again, in another run directory.

    >>> from albertkit.training.settings import FinetuneSettings
    >>> repeating_command("finetune", FinetuneSettings("albert-nano", "my reviews.csv", "runs/a", epochs=2))
    "albertkit finetune --model albert-nano --data 'my reviews.csv' --out runs/a-again --epochs 2"

    Args:
        command: name of the command.
        settings: complete ones.
    """
    words = ["albertkit", command]
    for entry in fields(settings):
        value = getattr(settings, entry.name)
        default = entry.default_factory() if entry.default_factory is not MISSING else entry.default
        if value is None or value == default or entry.name == "plots":
            continue
        words += _option(entry.name, f"{value}-again" if entry.name == "out" else value)
    return shlex.join(words)


def _option(name: str, value: Any) -> Iterator[str]:
    option = name.replace("_", "-")
    if isinstance(value, bool):
        yield f"--{option}" if value else f"--no-{option}"
    elif isinstance(value, list | tuple) and name in REPEATED:
        for each in value:
            yield from (f"--{option}", str(each))
    else:
        yield f"--{option}"
        yield _written(value)


def _written(value: Any) -> str:
    if isinstance(value, Mapping):
        return ",".join(f"{key}={each}" for key, each in value.items())
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
