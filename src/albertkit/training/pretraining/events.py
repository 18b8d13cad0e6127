"""Events: each step's figures, into metrics.jsonl and, behind an extra, TensorBoard's files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from albertkit.errors import MissingExtraError
from albertkit.training.pretraining.stages import Stage
from albertkit.training.pretraining.state import PretrainState
from albertkit.training.pretraining.steps import PretrainStep
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


def step_event(state: PretrainState, step: PretrainStep, *, rate: float, stage: Stage) -> dict[str, Any]:
    """Return the event of a step that the state has already counted."""
    return {
        "event": "step",
        "step": state.step,
        "training_tokens": state.tokens,
        **{name: round(value, 5) for name, value in asdict(step.scores).items()},
        "learning_rate": rate,
        "gradient_norm": round(step.gradient_norm, 4),
        "layers": stage.layers,
        "length": stage.length,
        "seconds": round(step.seconds, 4),
    }


def step_info(step: PretrainStep) -> str:
    """Return what stands beside the bar."""
    scores = step.scores
    return (
        f"loss {scores.mlm_loss:.2f}, accuracy {scores.mlm_accuracy:.0f} %, order {scores.sop_accuracy:.0f} %, "
        f"{scores.tokens / step.seconds:,.0f} tokens/s"
    )
