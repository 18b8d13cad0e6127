"""TensorBoard: event files in the run directory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from albertkit.errors import MissingExtraError
from albertkit.training.trackers import Open, TrackedRun


def tensorboard_tracker() -> Open:
    """Import TensorBoard.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MissingExtraError("tensorboard", extra="tensorboard", purpose="--track tensorboard") from error

    def opened(run: TrackedRun) -> EventFiles:
        folder = run.folder / "tensorboard"
        return EventFiles(SummaryWriter(str(folder), purge_step=run.step + 1 if run.step else None), folder)

    return opened


class EventFiles:
    """The event files of one run.

    Args:
        writer: of the files.
        folder: where they are.
    """

    key: str | None = None

    def __init__(self, writer: Any, folder: Path) -> None:
        self._writer = writer
        self._step = 0
        self.place = f"tensorboard --logdir {folder}"

    def log(self, values: Mapping[str, float], *, step: int) -> None:
        """Write the numbers of one event."""
        self._step = step
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def finish(self, values: Mapping[str, float], files: Sequence[Path]) -> None:  # noqa: ARG002 - the protocol's
        """Write the numbers of the report; its files are next to these."""
        self.log(values, step=self._step)

    def close(self, *, failed: bool) -> None:  # noqa: ARG002 - the protocol's
        """Finish the file."""
        self._writer.close()
