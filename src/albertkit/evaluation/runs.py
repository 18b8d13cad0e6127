"""Several finished runs side by side: their reports under names that a legend can show."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from albertkit.errors import UsageError
from albertkit.evaluation.report import Report


def read_runs(folders: Sequence[str | os.PathLike[str]]) -> dict[str, Report]:
    """Read the report of each run directory.

    Args:
        folders: run directories.

    Returns:
        Name -> report, in the order given; names as `run_names` makes them.

    Raises:
        UsageError: a folder is named twice.
        RunError: a report is missing or broken.
    """
    return {name: Report.read(folder) for name, folder in zip(run_names(folders), folders, strict=True)}


def run_names(folders: Sequence[str | os.PathLike[str]]) -> list[str]:
    """Name each run by its folder, with as many parent folders as tell equal names apart.

    >>> run_names(["a/frozen", "b/frozen", "b/tuned"])
    ['a/frozen', 'b/frozen', 'tuned']

    Raises:
        UsageError: a folder is named twice.
    """
    paths = [Path(folder).resolve() for folder in folders]
    twice = [str(path) for path, count in Counter(paths).items() if count > 1]
    if twice:
        raise UsageError(f"{', '.join(twice)}: named more than once; name each run directory once")
    depths = [1] * len(paths)
    while True:
        names = ["/".join(path.parts[-depth:]) for path, depth in zip(paths, depths, strict=True)]
        equal = {name for name, count in Counter(names).items() if count > 1}
        if not equal:
            return names
        depths = [depth + (name in equal) for name, depth in zip(names, depths, strict=True)]
