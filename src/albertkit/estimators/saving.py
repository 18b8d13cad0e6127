"""A trained model as bytes, for pickles, and as a folder: safetensors, JSON, vocabulary; no pickled tensors."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from albertkit.checkpoints.sentence_transformers import MODULE_FOLDERS
from albertkit.errors import CheckpointError, UsageError
from albertkit.models.loaded import Model
from albertkit.models.model_files import model_source
from albertkit.models.pretrained import load_model, save_model

PREFIX = "albertkit-"
"""How the names of temporary folders begin."""


def model_bytes(model: Model) -> dict[str, bytes]:
    """Return the files of the model's folder by name; `/` divides a file from its folder."""
    with TemporaryDirectory(prefix=PREFIX) as parent:
        folder = Path(parent) / "model"
        save_model(model, folder)
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


def model_from_bytes(files: Mapping[str, bytes], *, source: str) -> Model:
    """Return the model whose files `model_bytes` gave.

    Args:
        files: by name.
        source: what messages call the model.

    Raises:
        CheckpointError: the files are damaged.
    """
    with TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True) as folder:
        for name, content in files.items():
            # A name with a folder in it could point anywhere on the machine.
            if not isinstance(name, str) or not _is_plain(name):
                raise CheckpointError(
                    f'{source}: the saved state names the file "{name!r:.60}", which is not a plain name'
                )
            if not isinstance(content, bytes):
                raise CheckpointError(
                    f"{source}: the saved state holds no bytes under {name:.60}; save the model again"
                )
            path = Path(folder) / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
        return owned_model(folder, source=source)


def _is_plain(name: str) -> bool:
    """Return whether a name is that of a file in the model's folder, or in one of the folders there."""
    *folder, file = name.split("/")
    return (
        (not folder or (len(folder) == 1 and folder[0] in MODULE_FOLDERS))
        and file not in ("", ".", "..", *MODULE_FOLDERS)
        and "\\" not in file
        and file.isprintable()
    )


def owned_model(folder: str | os.PathLike[str], *, source: str) -> Model:
    """Load a model whose folder is about to go: its tensors are read now, not when they are used."""
    model = load_model(folder)
    model.network.take_canonical({name: tensor.clone() for name, tensor in model.network.canonical_state().items()})
    return replace(model, source=source)


def save_folder(model: Model, folder: str | os.PathLike[str], *, facts: Mapping[str, Any]) -> None:
    """Write the model as the folder that every command reads.

    Raises:
        UsageError: something already exists.
        WriteError: the system refused.
    """
    path = Path(folder)
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise UsageError(f"{path} already exists; name a new folder, or remove it first")
    save_model(model, path, facts=facts)


def folder_facts(name: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what `task.json` of a model folder or a run directory says; empty where there is none.

    Raises:
        CheckpointError: the file is not JSON.
    """
    file = model_source(name) / "task.json"
    if not file.is_file():
        return {}
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{file}: cannot be read as JSON ({error}); copy the folder or save it again") from error
    return dict(found) if isinstance(found, dict) else {}  # what a model needs of it read_model has judged
