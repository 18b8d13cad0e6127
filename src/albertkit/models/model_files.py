"""Resolve a MODEL argument: a folder or file of any format, an archive, a run, a known name."""

from __future__ import annotations

import os
from pathlib import Path

from albertkit.checkpoints import READ_AS_IT_IS, Checkpoint, ReadOptions, read_checkpoint
from albertkit.config import PUBLISHED, nearest_model
from albertkit.errors import UsageError
from albertkit.hub.hub_names import hub_name
from albertkit.hub.known_models import cached_model_folder


def model_path(name: str | os.PathLike[str]) -> Path | None:
    """Return the folder or file that a MODEL argument means, or None when it is a known name or one of the hub's.

    Raises:
        UsageError: neither a path that is there nor such a name.
    """
    path = Path(name)
    if path.exists():
        inner = path / "model"
        return inner if inner.is_dir() and not (path / "model.safetensors").exists() else path
    if path.with_name(path.name + ".index").exists():  # the prefix of a TensorFlow checkpoint
        return path
    if str(name) in PUBLISHED or hub_name(str(name)) is not None:
        return None
    near = nearest_model(str(name))
    raise UsageError(f'No model "{name}": not a path, and not listed by `albertkit models`{near}')


def model_source(name: str | os.PathLike[str]) -> Path:
    """Return the folder or file that a MODEL argument means; a model that has a name and is not here is fetched.

    Raises:
        UsageError: neither a path that is there nor such a name.
        DownloadError: a name whose files are not here and could not or should not be fetched.
    """
    found = model_path(name) or cached_model_folder(str(name))
    if found is None:
        # Here, since most loads need no network and its libraries take a tenth of a second to import.
        from albertkit.hub.download import fetch_model
        from albertkit.io.progress import Console

        found = fetch_model(str(name), progress=Console())
    return found


def read_model(name: str | os.PathLike[str], options: ReadOptions = READ_AS_IT_IS) -> Checkpoint:
    """Read what a MODEL argument means.

    Args:
        name: a known name, ORG/NAME[@REVISION] on the hub, a path in any known format, an archive of one, or a run
            directory.
        options: what to take instead of (or for want of) what the files say.

    A model that has a name and is not here is downloaded after a question at the terminal.

    Raises:
        UsageError: an unknown name.
        DownloadError: a known name whose weights are not here and could not or should not be fetched.
        CheckpointError: the files are not a model, or do not fit their configuration.
        ConfigError: a configuration that cannot be.
    """
    return read_checkpoint(model_source(name), options)
