"""Unpacked: a model that was given as an archive, laid out in a folder of its own for as long as it is used."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

from albertkit.errors import CheckpointError
from albertkit.io.archive import unpack
from albertkit.io.files import WriteError

_DEPTH = 3  # folders in each other; Google's archives have one around the files


class Unpacked:
    """The content of an archive in a temporary folder, which is removed with this object.

    Args:
        path: the archive.

    Raises:
        CheckpointError: it cannot be read, or holds what no good archive does.
        WriteError: no room for it.
    """

    def __init__(self, path: Path) -> None:
        try:
            parent = tempfile.mkdtemp(prefix="albertkit-")
        except OSError as error:
            raise WriteError(
                f"{path}: cannot make a folder to unpack it ({error.strerror}); set TMPDIR to a folder with free space"
            ) from error
        self._remove = weakref.finalize(self, shutil.rmtree, parent, ignore_errors=True)
        self.path = path
        self.folder = Path(parent, "model")
        unpack(path, self.folder, error=CheckpointError)

    def find(self, is_model: Callable[[Path], bool]) -> Path:
        """Return the first folder (or file) that is a model, from the outermost inwards.

        Raises:
            CheckpointError: there is none.
        """
        for candidate in self._inwards():
            if is_model(candidate):
                return candidate
        files = sorted(path.name for path in self.folder.rglob("*") if path.is_file())
        shown = ", ".join(files[:5]) + (", .." if len(files) > 5 else "")
        raise CheckpointError(f"{self.path}: holds no model in a known format ({len(files)} files: {shown or 'none'})")

    def _inwards(self) -> Iterator[Path]:
        level = [self.folder]
        for _ in range(_DEPTH):
            yield from level
            level = sorted(path for folder in level for path in folder.iterdir())
            yield from (path for path in level if path.is_file())
            level = [path for path in level if path.is_dir()]
