"""`albertkit.load`: from a name to a model that is ready for text."""

from __future__ import annotations

import os
from typing import Any

from albertkit.errors import UsageError
from albertkit.hardware.device import Execution, choose_execution
from albertkit.inference.predictor import Predictor


def load(
    name: str | os.PathLike[str],
    *,
    device: str | None = None,
    precision: str | None = None,
    threads: int | None = None,
    execution: Execution | None = None,
) -> Predictor:
    """Load a run directory, a model folder or a known model, ready for text.

    Args:
        name: what to load.
        device: as `choose_execution`; the best one if None.
        precision: as `choose_execution`.
        threads: as `choose_execution`.
        execution: all three at once, from `choose_execution`.

    Raises:
        UsageError: an unknown device or precision, or one of them together with an execution.
        UsageError, CheckpointError: as `albertkit.models.pretrained.load_model`.
    """
    chosen: dict[str, Any] = {"device": device, "precision": precision, "threads": threads}
    given = {key: value for key, value in chosen.items() if value is not None}
    if given and execution is not None:
        raise UsageError(f"{' and '.join(given)} and an execution are both given; leave one of them out")
    if given:
        execution = choose_execution(**given)
    return Predictor.load(name, execution=execution)
