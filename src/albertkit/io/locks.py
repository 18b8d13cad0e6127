"""Lock a folder while one process writes there, so that a second one is refused instead of mixing its files in."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from albertkit.errors import RunError
from albertkit.io.files import WriteError, is_leftover

LOCK, HOLDER = ".lock", ".lock-holder"
LOCK_FILES = frozenset({LOCK, HOLDER})
"""What a locked folder holds besides its content. A process that was killed leaves them; they lock nothing then."""

_ATTEMPTS = 20  # a holder that leaves just now may remove the folder in between


@contextmanager
def locked(folder: str | os.PathLike[str], *, option: str = "--out") -> Iterator[Path]:
    """Make the folder, and keep other processes from writing there while the block runs.

    The system drops the lock of a process that ends in any way. Folders that were made here and are still empty at the
    end are removed.

    Args:
        folder: where this process is about to write.
        option: what names the folder on the command line, for messages.

    Raises:
        RunError: another process writes there; the sentence says which.
        WriteError: the system refused.
    """
    path = Path(folder)
    made = [each for each in (path, *path.parents) if not each.exists()]
    lock = _acquired(path, option=option)
    try:
        with suppress(OSError):  # on a full disk the lock holds all the same
            said = {"pid": os.getpid(), "host": socket.gethostname()}
            (path / HOLDER).write_text(json.dumps(said) + "\n", encoding="utf-8")
        yield path
    finally:
        for name in (HOLDER, LOCK):  # before the release: the file of the next holder must not be removed
            with suppress(OSError):
                (path / name).unlink()
        lock.release()
        for each in made:
            with suppress(OSError):  # not empty: the rule
                each.rmdir()


def is_vacant(folder: str | os.PathLike[str], *, first_file: str) -> bool:
    """Return whether a new run may have a path: it does not exist, or holds only what a lock and a kill leave there.

    Args:
        folder: the path.
        first_file: name of the file that is written first, half of which a kill may leave.

    Raises:
        WriteError: the folder cannot be read.
    """
    path = Path(folder)
    try:
        return not path.exists() or (
            path.is_dir()
            and all(
                each.name in LOCK_FILES or (is_leftover(each) and each.name.startswith(f".{first_file}."))
                for each in path.iterdir()
            )
        )
    except OSError as error:
        raise WriteError(f"{path}: cannot be read ({error.strerror or error}); give another folder") from error


def _acquired(path: Path, *, option: str) -> FileLock:
    for _ in range(_ATTEMPTS):
        lock = FileLock(path / LOCK)
        try:
            path.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0.2, poll_interval=0.02)
        except Timeout as error:
            raise RunError(
                f"{path}: another albertkit{_holder(path)} writes there; wait for it, or give another {option}"
            ) from error
        except OSError as error:
            blocking = next((each for each in (path, *path.parents) if each.is_file()), None)
            # The folder was removed between the two lines, or while mkdir found it there.
            if blocking is None and isinstance(error, FileNotFoundError | FileExistsError):
                continue
            reason = error.strerror or error if blocking is None else f"{blocking} is a file, not a folder"
            raise WriteError(f"{path}: cannot be written ({reason}); give another {option}") from error
        return lock
    raise WriteError(f"{path}: cannot be locked; give another {option}")


def _holder(path: Path) -> str:
    try:
        said = json.loads((path / HOLDER).read_text(encoding="utf-8")[:1000])
        return f" (process {int(said['pid'])} on {said['host']})"
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return ""
