"""A run directory: settings, events, checkpoints; how a run that was stopped goes on."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from albertkit.errors import RunError
from albertkit.files import atomic_file, write_json, write_text

# Settings that may change between the start of a run and its going on.
_FREE = frozenset({"out", "threads", "save_seconds", "device"})


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
    def start(cls, path: str | os.PathLike[str], settings: Mapping[str, Any], *, resume: bool) -> RunFolder:
        """Make a run directory, or open the one of a run that was stopped.

        Raises:
            RunError: it exists and `resume` is false; or its settings differ; or the run is complete.
            WriteError: it cannot be written.
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
        write_json(config, settings)
        return run

    def _check_settings(self, config: Path, settings: Mapping[str, Any]) -> None:
        try:
            before = json.loads(config.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise RunError(f"{config}: cannot be read ({error}); the run cannot go on, start it anew") from error
        changed = [
            f"{key} was {before.get(key)!r} and is {value!r}"
            for key, value in settings.items()
            if key not in _FREE and before.get(key) != value
        ]
        if changed:
            raise RunError(f"{self.path}: a run goes on with the settings it started with; {'; '.join(changed)}")

    def log(self, event: Mapping[str, Any]) -> None:
        """Append one event as a line of `metrics.jsonl`."""
        with open(self._events, "a", encoding="utf-8") as file:
            file.write(json.dumps(event) + "\n")

    def cut_events(self, step: int) -> None:
        """Drop events after `step`: they will be written again."""
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
        """Write a checkpoint in place of the one before, atomically."""
        with atomic_file(self._checkpoint.with_stem(name)) as temporary:
            torch.save(dict(state), temporary)

    def load_checkpoint(self, *, name: str = "last") -> dict[str, Any] | None:
        """Read a checkpoint without unpickling code; None when there is none yet.

        Raises:
            RunError: the file is corrupt.
        """
        path = self._checkpoint.with_stem(name)
        if not path.is_file():
            return None
        try:
            state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        except (OSError, RuntimeError, ValueError, EOFError, KeyError, pickle.UnpicklingError) as error:
            raise RunError(f"{path}: the checkpoint is corrupt ({error}); start the run anew") from error
        return state
