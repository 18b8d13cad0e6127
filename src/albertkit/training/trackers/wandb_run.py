"""Weights & Biases: one run, sent to its server or kept in files until `wandb sync`."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from albertkit.errors import MissingExtraError
from albertkit.hub.consent import is_offline
from albertkit.training.trackers import Open, TrackedRun

PROJECT = "albertkit"
"""Where WANDB_PROJECT names no other."""


def wandb_tracker() -> Open:
    """Import W&B.

    Raises:
        MissingExtraError: it is not installed.
    """
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    try:
        import wandb
    except ImportError as error:
        raise MissingExtraError("wandb", extra="wandb", purpose="--track wandb") from error

    def opened(run: TrackedRun) -> SentRun:
        return SentRun(wandb, run)

    return opened


class SentRun:
    """One run of W&B.

    Args:
        wandb: the library.
        run: what to open, or to continue.
    """

    def __init__(self, wandb: Any, run: TrackedRun) -> None:
        mode = os.environ.get("WANDB_MODE")
        if not mode:  # without a key, W&B would ask for one
            mode = "offline" if is_offline() or not wandb.login(prompt=False) else "online"
        place = Path(os.environ.get("WANDB_DIR") or run.folder)
        place.mkdir(parents=True, exist_ok=True)  # W&B would write to another folder where this one cannot be
        self.key: str | None = run.key or secrets.token_hex(4)
        self._wandb, self._name = wandb, run.folder.name
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT") or PROJECT,
            name=run.folder.name,
            id=self.key,
            resume="allow",
            dir=str(place),
            mode=mode,
            config=dict(run.settings),
            settings=wandb.Settings(console="off", silent=True),
        )
        # Not W&B's own counter: a run that continues from a checkpoint repeats steps.
        self._run.define_metric("*", step_metric="step")
        self._step = run.step
        files = Path(self._run.dir).parent
        self.place = f"wandb sync {files}" if mode == "offline" else str(self._run.url)

    def log(self, values: Mapping[str, float], *, step: int) -> None:
        """Pass on the numbers of one event; W&B's own process writes them."""
        self._step = step
        self._run.log({**values, "step": step})

    def finish(self, values: Mapping[str, float], files: Sequence[Path]) -> None:
        """Pass on the numbers of the report as the summary, and its files as an artifact."""
        self._run.summary.update(dict(values))
        artifact = self._wandb.Artifact(f"{self.key}-report", type="report")
        for file in files:
            artifact.add_file(str(file))
        self._run.log_artifact(artifact)

    def close(self, *, failed: bool) -> None:
        """Say how the run ended; W&B's own process sends or writes what is left."""
        self._run.finish(exit_code=int(failed))
