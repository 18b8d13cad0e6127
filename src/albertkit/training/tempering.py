"""Fit the temperature of a trained classifier on its validation split, which its training did not see."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from albertkit.data.examples import TextExample
from albertkit.inference.predictor import Predictor
from albertkit.tasks.classification import ClassificationTask
from albertkit.tasks.classification.temperature import LEAST_EXAMPLES, RANGE, fit_temperature
from albertkit.tasks.encoded import unit_logits
from albertkit.training.encoded_splits import EncodedSplits


def validation_temperature(
    predictor: Predictor, splits: EncodedSplits, outputs: Callable[[], list[npt.NDArray[np.float32]]]
) -> tuple[float | None, str | None]:
    """Return the temperature, or None and a sentence that says why there is none.

    Args:
        predictor: the network with its best weights.
        splits: splits of the run, tokenised, with their features where the encoder is frozen.
        outputs: gives what the network says of the validation split.

    Returns:
        `(None, None)` without held-out rows, and for outputs that are not the probabilities of exclusive labels.
    """
    task, validation = predictor.model.task, splits.validation
    if validation is None or not isinstance(task, ClassificationTask) or task.name != "classification":
        return None, None
    # A temperature fitted on the scored examples would flatter the report, one on training examples the model.
    if validation is splits.test or validation is splits.train:
        return None, "the probabilities are not calibrated: calibration needs a separate validation split"
    dataset = validation.dataset
    if len(dataset) < LEAST_EXAMPLES:
        return None, (
            f"the probabilities are not calibrated: calibration needs {LEAST_EXAMPLES} validation examples, not "
            f"{len(dataset)}"
        )
    found = fit_temperature(
        unit_logits(outputs(), validation.encoded),
        labels_true=task.targets(dataset.of(TextExample), num_labels=len(predictor.labels)),
    )
    if found is None:
        return None, (
            f"the probabilities are not calibrated: {dataset.split} needs a temperature outside "
            f"{RANGE[0]:g} to {RANGE[1]:g} (the predictions are all correct, or no better than chance)"
        )
    return found, None
