"""Foreign files and the one canonical state: read any format into a `Checkpoint`, write a `Checkpoint` in any format.

A format is an object with `matches`, `read` and `write` (see `checkpoint.Format`) and one line in the table here.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import cast

from albertkit.checkpoints.checkpoint import Checkpoint, Format
from albertkit.errors import CheckpointError
from albertkit.registry import Registry

FORMATS = Registry(
    "checkpoint format",
    group="albertkit.formats",
    table={"huggingface": "albertkit.checkpoints.huggingface:HUGGINGFACE"},
)
"""Format name -> `Format`."""


def read_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Read a model in whichever known format it is.

    Args:
        path: a model folder (or file, where a format has one).

    Returns:
        The checkpoint, complete and checked against its own configuration.

    Raises:
        CheckpointError: nothing is there, no format matches, or the files are broken (all problems in one error).
        ConfigError: the configuration holds a value that cannot be.
    """
    source = Path(path)
    if not source.exists():
        raise CheckpointError(f"{source}: there is no such file or folder; check the path of the model")
    for name in FORMATS:
        candidate = cast(Format, FORMATS[name])
        if candidate.matches(source):
            return candidate.read(source)
    kind = "folder" if source.is_dir() else "file"
    known = "; ".join(f"{name}: {cast(Format, FORMATS[name]).holds}" for name in FORMATS)
    raise CheckpointError(f"{source}: this {kind} is no model in a known format, which would be ({known})")


__all__ = ["FORMATS", "Checkpoint", "Format", "read_checkpoint"]
