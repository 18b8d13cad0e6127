"""JSON files of a checkpoint folder. Without torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from albertkit.errors import CheckpointError
from albertkit.io import files


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        CheckpointError: the file is absent or is not JSON.
    """
    try:
        return files.read_json(path)
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: the file is missing; copy it into the folder of the weights") from error
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: cannot be read as JSON ({error}); copy or download the file again") from error


def read_mapping(path: Path) -> dict[str, Any]:
    """Read a JSON file that holds a mapping.

    Raises:
        CheckpointError: the file is absent, is not JSON or holds something else.
    """
    values = read_json(path)
    if not isinstance(values, dict):
        raise CheckpointError(f"{path}: holds a {type(values).__name__}, not a mapping of names to values")
    return values


def read_versioned(path: Path, *, newest: int) -> dict[str, Any]:
    """Read a JSON mapping that albertkit wrote with a `format_version`, and return it without the version.

    Args:
        path: the file.
        newest: version that is known here.

    Raises:
        CheckpointError: see `read_mapping`, or a version that is missing or newer.
    """
    values = read_mapping(path)
    version = values.pop("format_version", None)
    if not isinstance(version, int) or version < 1:
        raise CheckpointError(f"{path}: format_version is {version!r}, not a whole number from 1; save the model again")
    if version > newest:
        raise CheckpointError(
            f"{path}: has format version {version}, this albertkit reads up to {newest}; pip install --upgrade "
            "albertkit"
        )
    return values
