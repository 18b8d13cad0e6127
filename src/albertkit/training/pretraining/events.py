"""Events of a pretraining: each step's line of metrics.jsonl."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from albertkit.training.pretraining.stages import Stage
from albertkit.training.pretraining.state import PretrainState
from albertkit.training.pretraining.steps import PretrainStep


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
