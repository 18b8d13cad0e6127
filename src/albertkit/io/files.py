"""Writing files so that a stop at any moment leaves either the old content or the new, never half of it."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from albertkit.errors import AlbertkitError, UsageError


class WriteError(AlbertkitError):
    """A file could not be written (full disk, no permission); the previous file is unchanged."""


# What `atomic_file` and `atomic_folder` write under: .NAME.PID.tmp, .NAME.RANDOM.tmp, and .NAME.RANDOM.old.
_LEFTOVER = re.compile(r"\.(?P<name>.+)\.(?:\d+|[0-9a-f]{12}|[a-z0-9_]{8})\.(?P<kind>tmp|old)")


def _describe(path: Path, error: OSError) -> str:
    reason = error.strerror or str(error)
    if isinstance(error, FileExistsError):  # from mkdir: there is a file where a folder is needed
        reason = f"{error.filename} is a file, not a folder"
    return f"{path}: cannot be written ({reason}); the previous file is unchanged"


@contextmanager
def atomic_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path in the same folder; rename it to `path` when the block ends without an error.

    The file gets the permissions that the umask gives: some libraries make theirs readable by its owner only.

    Raises:
        WriteError: the system refused (full disk, no permission); the temporary file is removed.
    """
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        mode = _mode_of_new(temporary)
        yield temporary
        os.chmod(temporary, mode)
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, target)
    except OSError as error:
        raise WriteError(_describe(target, error)) from error
    finally:
        with suppress(OSError):
            temporary.unlink()


@contextmanager
def atomic_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary folder next to `path`; move it to `path` when the block ends without an error.

    Raises:
        WriteError: the system refused; the temporary folder is removed and an older `path` stays.
    """
    target = Path(path)
    temporary: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        made = target.with_name(f".{target.name}.{secrets.token_hex(6)}.tmp")
        made.mkdir()  # not mkdtemp, which ignores the umask
        temporary = made
        yield temporary
        if target.exists():
            old = temporary.with_suffix(".old")
            os.replace(target, old)
            try:
                os.replace(temporary, target)
            except OSError:
                os.replace(old, target)
                raise
            shutil.rmtree(old, ignore_errors=True)
        else:
            os.replace(temporary, target)
    except OSError as error:
        raise WriteError(_describe(target, error)) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _mode_of_new(path: Path) -> int:
    """Return the permissions that a new file gets, by making one: reading the umask changes it for every thread."""
    with open(path, "wb") as file:
        mode = os.fstat(file.fileno()).st_mode & 0o777
    path.unlink()  # a block that writes nothing must not end with an empty file
    return mode


def is_leftover(path: Path) -> bool:
    """Return whether a path is the temporary file of a killed (or still running) atomic write, by its name.

    >>> is_leftover(Path("run/.last.pt.4711.tmp")), is_leftover(Path("run/.model.k3j_x81p.old"))
    (True, True)
    >>> is_leftover(Path("run/.gitignore"))
    False
    """
    return _LEFTOVER.fullmatch(path.name) is not None


def remove_leftovers(folder: str | os.PathLike[str]) -> None:
    """Remove what killed writers have left in a folder; a folder that was moved aside and not replaced comes back.

    Nobody else may write there meanwhile (see `locks`). What cannot be removed stays.
    """
    with suppress(OSError):
        for path in sorted(Path(folder).iterdir()):
            found = _LEFTOVER.fullmatch(path.name)
            if found is None:
                continue
            target = path.with_name(found["name"])
            if found["kind"] == "old" and not target.exists():
                os.replace(path, target)
            elif path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()


def local_path(name: str | os.PathLike[str]) -> Path:
    """Return the path of a file that the user named.

    >>> local_path("s3://b/a.csv")
    Traceback (most recent call last):
    albertkit.errors.UsageError: s3://b/a.csv is an address, and files are read from this machine; copy it here first

    Raises:
        UsageError: it is an address, which a path would shorten to s3:/bucket.
    """
    text = os.fspath(name)
    if re.match("[A-Za-z][A-Za-z0-9+.-]+://", text):
        raise UsageError(f"{text} is an address, and files are read from this machine; copy it here first")
    return Path(text)


def read_json(path: str | os.PathLike[str]) -> Any:
    """Read a JSON document.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not UTF-8, not JSON, or nested too deeply.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write `text` as UTF-8 atomically.

    Raises:
        WriteError: the system refused.
    """
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextmanager
def line_writer(path: str | os.PathLike[str]) -> Iterator[Callable[[str], None]]:
    """Yield a function that appends a line, as UTF-8, to a new file; atomic at the end.

    Raises:
        WriteError: the system refused.
    """
    with atomic_file(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        yield lambda line: print(line, file=file)


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write `value` as indented JSON atomically.

    Raises:
        WriteError: the system refused.
    """
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def cache_folder(name: str) -> Path:
    """Return (and make) the folder for `name` in the user's cache: $ALBERTKIT_CACHE, else ~/.cache/albertkit."""
    root = os.environ.get("ALBERTKIT_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "albertkit")
    folder = Path(root).expanduser() / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(f"{_describe(folder, error)}; set ALBERTKIT_CACHE to a folder that can be written") from error
    return folder
