"""A run directory: settings, events, checkpoints; how a run that was stopped goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from albertkit.errors import RunError
from albertkit.files import WriteError, atomic_file, write_json, write_text

# Settings that may change between the start of a run and its going on.
_FREE = frozenset({"out", "threads", "save_seconds", "device", "workers", "compile", "plots", "recompute"})

# Settings that an older version did not write, with what its runs did.
_BEFORE: Mapping[str, Any] = {"pooling": "pooler", "long": "truncate", "exits": False}


class RunFolder:
    """The files of one run.

    Args:
        path: the directory.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._events = self.path / "metrics.jsonl"
        self._checkpoint = self.path / "checkpoints" / "last.pt"

    @classmethod
    def open(cls, path: str | os.PathLike[str], settings: Mapping[str, Any], *, resume: bool) -> RunFolder:
        """Check that a run can start here, or go on here; nothing is written before `begin`.

        Args:
            path: the directory.
            settings: of the run that is about to start or go on.
            resume: whether to go on with a run that was stopped; where none was begun, one starts.

        Raises:
            RunError: it exists and `resume` is false; or its settings differ; or the run is complete.
        """
        run = cls(path)
        config = run.path / "config.json"
        if resume and config.is_file():
            run._check_settings(config, settings)
            if (run.path / "report.json").is_file():
                raise RunError(f"{run.path}: this run is complete (report.json is there); nothing to go on with")
            return run
        if run.path.exists() and (not run.path.is_dir() or any(run.path.iterdir())):
            hint = " or --resume to go on" if config.is_file() else ""
            raise RunError(f"{run.path} exists and is not empty; give another --out{hint}")
        return run

    def begin(self, settings: Mapping[str, Any], *, step: int) -> None:
        """Write the settings of a new run; drop the events after `step` of one that goes on: they will come again.

        Args:
            settings: what `config.json` holds.
            step: the last step whose outcome is kept, 0 for a new run.

        Raises:
            WriteError: the system refused.
        """
        if not (self.path / "config.json").is_file():
            write_json(self.path / "config.json", settings)
        self._cut_events(step)

    def _check_settings(self, config: Path, settings: Mapping[str, Any]) -> None:
        try:
            before = {**_BEFORE, **json.loads(config.read_text(encoding="utf-8"))}
        except (OSError, ValueError, TypeError) as error:
            raise RunError(f"{config}: cannot be read ({error}); the run cannot go on, start it anew") from error
        changed = [
            f"{key} was {before.get(key)!r} and is {value!r}"
            for key, value in settings.items()
            if key not in _FREE and before.get(key) != value
        ]
        if changed:
            raise RunError(f"{self.path}: a run goes on with the settings it started with; {'; '.join(changed)}")

    def log(self, event: Mapping[str, Any]) -> None:
        """Append one event as a line of `metrics.jsonl`.

        Raises:
            WriteError: the system refused.
        """
        try:
            with open(self._events, "a", encoding="utf-8") as file:
                file.write(json.dumps(event) + "\n")
        except OSError as error:
            raise WriteError(
                f"{self._events}: cannot be written ({error.strerror or error}); "
                "--resume goes on from the last checkpoint"
            ) from error

    def _cut_events(self, step: int) -> None:
        kept = []
        if self._events.is_file():
            for line in self._events.read_text(encoding="utf-8").splitlines():
                try:
                    event = json.loads(line)
                except ValueError:  # the line that a kill cut short
                    continue
                if event.get("step", 0) <= step:
                    kept.append(line + "\n")
        write_text(self._events, "".join(kept))

    def save_checkpoint(self, state: Mapping[str, Any], *, name: str = "last") -> None:
        """Write a checkpoint in place of the one before, atomically.

        Raises:
            WriteError: the system refused; the checkpoint before is untouched.
        """
        path = self._checkpoint.with_stem(name)
        with atomic_file(path) as temporary:
            try:
                torch.save(dict(state), temporary)
            except RuntimeError as error:  # torch's own writer does not raise OSError when the disk is full
                reason = str(error).splitlines()[0]
                raise WriteError(
                    f"{path}: cannot be written (is the disk full? torch says: {reason}); "
                    "what stood there before is untouched"
                ) from error

    def load_checkpoint(self, *, name: str = "last") -> dict[str, Any] | None:
        """Read a checkpoint without unpickling code; None when there is none yet.

        Raises:
            RunError: the file is corrupt.
        """
        path = self._checkpoint.with_stem(name)
        if not path.is_file():
            return None
        try:
            state: Any = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # torch's unpickler fails on damaged bytes with whatever error its stack meets
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise RunError(f"{path}: the checkpoint is corrupt ({reason}); start the run anew") from error
        if not isinstance(state, dict):
            raise RunError(f"{path}: the checkpoint holds a {type(state).__name__}, not a run; start the run anew")
        return state
