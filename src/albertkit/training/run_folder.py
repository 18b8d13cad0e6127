"""A run directory: settings, events, checkpoints; how a run that was stopped continues. Or a run without files."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from albertkit.errors import RunError
from albertkit.evaluation.events import FILE_NAME as EVENTS
from albertkit.evaluation.events import read_events
from albertkit.evaluation.report import FILE_NAME as REPORT
from albertkit.io.files import WriteError, atomic_file, read_json, remove_leftovers, write_json, write_text
from albertkit.io.locks import is_vacant
from albertkit.models.trained_columns import CONFIG
from albertkit.training.digest import content_digest, input_changes
from albertkit.training.processes import Processes
from albertkit.training.run_data import INPUTS

# Settings that may change between the start of a run and its continuation.
_FREE = frozenset({"out", "threads", "save_seconds", "device", "workers", "compile", "plots", "gradient_checkpointing",
                   "track"})  # fmt: skip

# Settings that an older version did not write, with what its runs did.
_BEFORE: Mapping[str, Any] = {
    "pooling": "pooler", "long": "truncate", "exits": False, "few_shot": False, "parallel": 1, "processes": 1,
}  # fmt: skip

# Names of settings in an older version -> names now.
_RENAMED: Mapping[str, str] = {"mask_share": "mlm_probability"}

LAST, BEST, GOOD = "last", "best", "good"
"""Checkpoints: where a stopped run continues; the best epoch; where a pretraining goes back to whose loss ran away."""

_KEPT = frozenset({"parallel"})  # settings that a run chooses at its first step, and keeps

_DURATIONS = ("epochs", "steps")
_DIGEST = "content_sha256"  # key of a checkpoint


class RunFolder:
    """The files of one run. Whoever writes them holds the folder's lock (`locks.locked`).

    Args:
        path: the directory.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.notes: tuple[str, ...] = ()
        """What could not be checked because an older albertkit began the run."""
        self.continues = False
        """Whether the run was begun before and continues now."""
        self._events = self.path / EVENTS
        self._checkpoints = self.path / "checkpoints"
        self._inputs: Mapping[str, Any] = {}
        self._recorded: Mapping[str, Any] = {}

    @property
    def is_begun(self) -> bool:
        """Whether settings of a run are there."""
        return (self.path / CONFIG).is_file()

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        settings: Mapping[str, Any],
        *,
        resume: bool,
        inputs: Mapping[str, Any] | None = None,
    ) -> RunFolder:
        """Check that a run can start or continue here; nothing is written before `begin`.

        Args:
            path: the directory.
            settings: settings of the run that is about to start or continue.
            resume: whether to continue a run that was stopped; where none was begun, one starts.
            inputs: what the run reads, as `digest.input_changes` compares it.

        Raises:
            RunError: it exists and `resume` is false; or its settings or inputs differ; or the run is complete.
        """
        run = cls(path)
        run._inputs = inputs or {}
        if resume and run.is_begun:
            run._check_settings(run.path / CONFIG, settings)
            run._check_unfinished()
            run.continues = True
            return run
        if not is_vacant(run.path, first_file=CONFIG):
            hint = " or --resume to continue" if run.is_begun else ""
            raise RunError(f"{run.path} exists and is not empty; give another --out{hint}")
        return run

    def recorded(self, name: str, given: Any) -> Any:
        """Return a setting as it was given, or if it was left out, as the run that continues has it; else None."""
        return self._recorded.get(name) if given is None else given

    def begin(self, settings: Mapping[str, Any], *, step: int) -> None:
        """Write the settings of a new run; drop the events after `step` of one that continues: they will come again.

        Temporary files that a killed run left are removed.

        Args:
            settings: what `config.json` holds.
            step: the last step whose outcome is kept, 0 for a new run.

        Raises:
            RunError: a line of the events is damaged.
            WriteError: the system refused.
        """
        for folder in (self.path, self._checkpoints, self.path / "plots"):
            remove_leftovers(folder)
        if not self.is_begun:
            inputs = {INPUTS: dict(self._inputs)} if self._inputs else {}
            write_json(self.path / CONFIG, {**settings, **inputs})
        kept = [event for event in read_events(self.path) if event["step"] <= step] if self._events.is_file() else []
        write_text(self._events, "".join(json.dumps(event) + "\n" for event in kept))

    def _check_settings(self, config: Path, settings: Mapping[str, Any]) -> None:
        try:
            before = dict(_BEFORE)
            before |= {_RENAMED.get(key, key): value for key, value in read_json(config).items()}
        except (OSError, ValueError, AttributeError) as error:
            raise RunError(f"{config}: cannot be read ({error}); {_START_AGAIN}") from error
        self._recorded = before
        changed = [
            key
            for key, value in settings.items()
            if key not in _FREE and before.get(key) != value and not (key in _KEPT and value is None)
        ]
        if changed and not set(changed) - set(_DURATIONS):
            raise RunError(self._other_duration(before, settings, changed=changed))
        if changed:
            said = "; ".join(f"{key} was {before.get(key)!r} and is {settings[key]!r}" for key in changed)
            raise RunError(f"{self.path}: a run continues with the settings it started with; {said}")
        inputs = before.get(INPUTS, {})
        if not isinstance(inputs, Mapping):
            raise RunError(f'{config}: "{INPUTS}" is not a mapping; {_START_AGAIN}')
        if different := input_changes(inputs, self._inputs):
            raise RunError(
                f"{self.path}: the run's inputs have changed since it started: {'; '.join(different)}; bring it back, "
                "or start a new run with another --out"
            )
        if self._inputs.keys() - inputs.keys():
            self.notes = (
                "an older albertkit started this run and did not record its data, so changes cannot be detected",
            )

    def _other_duration(self, before: Mapping[str, Any], settings: Mapping[str, Any], *, changed: list[str]) -> str:
        """Return what to do for a run with more (or fewer) epochs: the schedule of the learning rate was fixed."""
        first = next((key for key in _DURATIONS if before.get(key) is not None), changed[0])
        was = f"{before.get(first)} {first}"
        now = " and ".join(f"{settings[key]} {key}" for key in changed if settings[key] is not None) or "others"
        option = f"--{first} {before.get(first)}"
        return (
            f"{self.path}: the run was started for {was}, which its learning rates depend on, and cannot continue for "
            f"{now}; finish it with {option} --resume and train its model further with --model {self.path} and another "
            "--out, or start a new run with another --out"
        )

    def _check_unfinished(self) -> None:
        report = self.path / REPORT
        if not report.exists():
            return
        try:
            complete = isinstance(read_json(report), dict)
            reason = "not a JSON object"
        except (OSError, ValueError) as error:
            complete, reason = False, str(error)
        if not complete:
            raise RunError(f"{report}: damaged ({reason}); delete it, and --resume writes it again")
        raise RunError(f"{self.path}: this run is complete (report.json exists); nothing is left to do")

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
                f"{self._events}: cannot be written ({error.strerror or error}); --resume continues from the last "
                "checkpoint"
            ) from error

    def save_checkpoint(self, state: Mapping[str, Any], *, name: str = LAST) -> None:
        """Write a checkpoint with a digest of its content in place of the one before, atomically.

        Raises:
            WriteError: the system refused; the checkpoint before is untouched.
        """
        path = self._checkpoints / f"{name}.pt"
        with atomic_file(path) as temporary:
            try:
                torch.save({**state, _DIGEST: content_digest(state)}, temporary)
            except RuntimeError as error:  # torch's own writer does not raise OSError when the disk is full
                reason = str(error).splitlines()[0]
                raise WriteError(
                    f"{path}: cannot be written (is the disk full? torch says: {reason}); the previous file is "
                    "unchanged"
                ) from error

    def load_checkpoint(self, *, name: str = LAST) -> dict[str, Any] | None:
        """Read a checkpoint without unpickling code; None when there is none yet.

        Raises:
            RunError: the file is corrupt.
        """
        path = self._checkpoints / f"{name}.pt"
        if not path.is_file():
            return None
        try:
            state: Any = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # torch's unpickler fails on damaged bytes with whatever error its stack meets
            reason = (str(error).splitlines() or [type(error).__name__])[0].partition(". ")[0]
            raise RunError(f"{path}: the checkpoint is corrupt ({reason}); {_START_AGAIN}") from error
        if not isinstance(state, dict):
            raise RunError(f"{path}: the checkpoint holds a {type(state).__name__}, not a run; {_START_AGAIN}")
        written = state.pop(_DIGEST, None)  # older versions wrote none
        if written is not None and written != content_digest(state):
            raise RunError(
                f"{path}: the checkpoint is corrupt (its content is not what was written, by its SHA-256); "
                f"{_START_AGAIN}"
            )
        return state


_START_AGAIN = "start the run again, with another --out"


class InMemory(RunFolder):
    """A run that leaves no files: it keeps the weights of the best epoch, and forgets everything else."""

    def __init__(self) -> None:
        super().__init__("")
        self._best: dict[str, Any] | None = None

    def begin(self, settings: Mapping[str, Any], *, step: int) -> None:
        """Write nothing."""

    def log(self, event: Mapping[str, Any]) -> None:
        """Write nothing."""

    def save_checkpoint(self, state: Mapping[str, Any], *, name: str = LAST) -> None:
        """Keep a copy of the best weights."""
        if name == BEST:
            self._best = copy.deepcopy(dict(state))

    def load_checkpoint(self, *, name: str = LAST) -> dict[str, Any] | None:
        """Return the best weights; no other checkpoint is there."""
        return self._best if name == BEST else None


def one_writer(processes: Processes, folder: RunFolder | None, *, device: torch.device | str) -> RunFolder:
    """Return a folder that all processes may use; `folder` itself if there is only one.

    Args:
        processes: those that train together.
        folder: that of the first process; None in the others.
        device: that checkpoints travel by.
    """
    if processes.world == 1 and folder is not None:
        return folder
    return _OneWriter(processes, folder, device=device)


class _OneWriter(RunFolder):
    """The folder of processes that train together: the first one reads and writes the files."""

    def __init__(self, processes: Processes, folder: RunFolder | None, *, device: torch.device | str) -> None:
        super().__init__("" if folder is None else folder.path)
        self._processes, self._folder, self._device = processes, folder, device
        self._loads = 0
        if folder is not None:
            self.notes, self.continues = folder.notes, folder.continues

    def recorded(self, name: str, given: Any) -> Any:
        """Return what the first process's folder says, in every process."""
        value = None if self._folder is None else self._folder.recorded(name, given)
        return self._processes.broadcast(value, device=self._device)

    def begin(self, settings: Mapping[str, Any], *, step: int) -> None:
        """Begin in the first process."""
        if self._folder is not None:
            self._folder.begin(settings, step=step)

    def log(self, event: Mapping[str, Any]) -> None:
        """Write in the first process."""
        if self._folder is not None:
            self._folder.log(event)

    def save_checkpoint(self, state: Mapping[str, Any], *, name: str = LAST) -> None:
        """Write in the first process."""
        if self._folder is not None:
            self._folder.save_checkpoint(state, name=name)

    def load_checkpoint(self, *, name: str = LAST) -> dict[str, Any] | None:
        """Read in the first process, and send the checkpoint to the others."""
        self._loads += 1
        with self._processes.together(f"checkpoint/{self._loads}"):
            saved = None if self._folder is None else self._folder.load_checkpoint(name=name)
        found: dict[str, Any] | None = self._processes.broadcast(saved, device=self._device)
        return found
