"""Events of a pretraining: each step's line of metrics.jsonl and, behind an extra, TensorBoard's files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from albertkit.errors import MissingExtraError
from albertkit.training.pretraining.stages import Stage
from albertkit.training.pretraining.state import PretrainState
from albertkit.training.pretraining.steps import PretrainStep


class TensorBoard:
    """Writes event files.

    Args:
        folder: the folder to write; None writes nothing.
        step: the last step whose outcome is kept, 0 for a new run.

    Raises:
        MissingExtraError: tensorboard is not installed.
    """

    def __init__(self, folder: Path | None, *, step: int) -> None:
        self._writer: Any = None
        if folder is None:
            return
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise MissingExtraError("tensorboard", extra="tensorboard", purpose="--tensorboard") from error
        self._writer = SummaryWriter(str(folder), purge_step=step + 1 if step else None)

    def log(self, event: Mapping[str, Any]) -> None:
        """Write the numbers of one event with its `step`."""
        if self._writer is not None:
            for name, value in event.items():
                if isinstance(value, float):
                    self._writer.add_scalar(f"{event['event']}/{name}", value, event["step"])

    def close(self) -> None:
        """Finish the file."""
        if self._writer is not None:
            self._writer.close()


def step_event(state: PretrainState, step: PretrainStep, *, stage: Stage) -> dict[str, Any]:
    """Return the event of a step that the state has already counted."""
    return {
        "event": "step",
        "step": state.step,
        "training_tokens": state.tokens,
        **{name: round(value, 5) for name, value in asdict(step.scores).items()},
        "learning_rate": step.learning_rate,
        "gradient_norm": round(step.gradient_norm, 4),
        "layers": stage.layers,
        "length": stage.length,
        "seconds": round(step.seconds, 4),
    }


def step_info(step: PretrainStep) -> str:
    """Return what the bar shows of a step."""
    scores = step.scores
    return (
        f"loss {scores.mlm_loss:.2f}, accuracy {scores.mlm_accuracy:.0f} %, order {scores.sop_accuracy:.0f} %, "
        f"{scores.tokens / step.seconds:,.0f} tokens/s"
    )
