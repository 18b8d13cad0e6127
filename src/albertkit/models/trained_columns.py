"""The columns that a run was told to train on, which its model reads in other tables, too."""

from __future__ import annotations

import os
from pathlib import Path

from albertkit.io.files import read_json

CONFIG = "config.json"
"""The settings of a run, in its directory."""
COLUMNS = ("text_column", "pair_column", "label_column")


def trained_columns(run: str | os.PathLike[str]) -> dict[str, str]:
    """Return the columns that a run of `finetune` was told to train on; none of what is no such run.

    Args:
        run: a run directory, or any other model.

    Returns:
        Those of `COLUMNS` that were given -> their names.
    """
    try:
        settings = read_json(Path(run) / CONFIG)
    except (OSError, ValueError):
        return {}
    if not isinstance(settings, dict) or not settings.keys() >= set(COLUMNS):
        return {}
    return {use: name for use in COLUMNS if isinstance(name := settings[use], str)}
