"""Foreign files and the one canonical state: read any format into a `Checkpoint`, write a `Checkpoint` in any format.

A format is an object with `matches`, `read` and `write` (see `checkpoint.Format`) and one line in the table here.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from albertkit.checkpoints.checkpoint import READ_AS_IT_IS, Checkpoint, Format, ReadOptions
from albertkit.checkpoints.known_issues import known_issues
from albertkit.checkpoints.unpacked import Unpacked
from albertkit.errors import CheckpointError
from albertkit.io.archive import is_archive
from albertkit.registry import Registry

FORMATS: Registry[Format] = Registry(
    "checkpoint format",
    group="albertkit.formats",
    table={
        "huggingface": "albertkit.checkpoints.huggingface:HUGGINGFACE",
        "tf1": "albertkit.checkpoints.tensorflow.tf1:TF1",
        "hub1": "albertkit.checkpoints.tensorflow.hub1:HUB1",
        "tfhub2": "albertkit.checkpoints.tensorflow.tfhub2:TFHUB2",
        "keras": "albertkit.checkpoints.kerashub.keras:KERAS",
        "bson": "albertkit.checkpoints.julia.bson:BSON",
    },
)
"""Format name -> `Format`."""


def read_checkpoint(path: str | os.PathLike[str], options: ReadOptions = READ_AS_IT_IS) -> Checkpoint:
    """Read a model in whichever known format it is.

    Args:
        path: a model folder (or file, where a format has one), or a .zip or .tar archive of it.
        options: what to take instead of (or for want of) what the files say.

    Returns:
        The checkpoint, complete and checked against its own configuration.

    Raises:
        CheckpointError: nothing is there, no format matches, or the files are broken (all problems in one error).
        ConfigError: the configuration holds an invalid value.
    """
    source = Path(path)
    if not source.exists() and not source.with_name(source.name + ".index").exists():
        raise CheckpointError(f"{source}: no such file or folder; check the path of the model")
    if source.is_file() and is_archive(source):
        unpacked = Unpacked(source)
        inside = unpacked.find(lambda path: _format_of(path) is not None)
        return replace(read_checkpoint(inside, options), source=str(source), resources=unpacked)
    found = _format_of(source)
    if found is not None:
        checkpoint = found.read(source, options)
        return replace(checkpoint, notes=(*checkpoint.notes, *known_issues(checkpoint)))
    kind = "folder" if source.is_dir() else "file"
    known = "; ".join(f"{name}: {FORMATS[name].holds}" for name in FORMATS)
    raise CheckpointError(f"{source}: this {kind} is not a model in a known format ({known})")


def is_checkpoint(path: Path) -> bool:
    """Tell, without reading weights, whether a path is meant to be a model: in a known format, or an archive."""
    return (path.is_file() and is_archive(path)) or _format_of(path) is not None


def _format_of(path: Path) -> Format | None:
    candidates = (FORMATS[name] for name in FORMATS)
    return next((candidate for candidate in candidates if candidate.matches(path)), None)


__all__ = ["FORMATS", "READ_AS_IT_IS", "Checkpoint", "Format", "ReadOptions", "is_checkpoint", "read_checkpoint"]
