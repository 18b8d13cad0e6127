"""Events: each step's figures, into metrics.jsonl and, behind an extra, TensorBoard's files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from albertkit.errors import MissingExtraError
from albertkit.training.run import RunFolder


class Events:
    """Where the figures of a run go; only the first process writes.

    Args:
        folder: the run directory.
        tensorboard: whether event files are written to its `tensorboard/` as well.
        is_main: whether this process writes.
        step: the last step whose outcome is kept, 0 for a new run.

    Raises:
        MissingExtraError: tensorboard is not installed.
    """

    def __init__(self, folder: RunFolder, *, tensorboard: bool, is_main: bool, step: int) -> None:
        self._folder = folder if is_main else None
        self._writer: Any = None
        if tensorboard and is_main:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError as error:
                raise MissingExtraError("tensorboard", extra="tensorboard", purpose="--tensorboard") from error
            purge = step + 1 if step else None
            self._writer = SummaryWriter(str(folder.path / "tensorboard"), purge_step=purge)

    def log(self, event: Mapping[str, Any]) -> None:
        """Take in one event with its `step`.

        Raises:
            WriteError: the system refused.
        """
        if self._folder is not None:
            self._folder.log(event)
        if self._writer is not None:
            for name, value in event.items():
                if isinstance(value, float):
                    self._writer.add_scalar(f"{event['event']}/{name}", value, event["step"])

    def close(self) -> None:
        """Finish TensorBoard's file."""
        if self._writer is not None:
            self._writer.close()
