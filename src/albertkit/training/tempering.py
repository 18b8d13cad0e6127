"""Fit the temperature of a trained classifier on its validation split, which its training did not see."""

from __future__ import annotations

from albertkit.data.examples import TextExample
from albertkit.evaluation.temperature import LEAST_EXAMPLES, RANGE, fit_temperature
from albertkit.inference.predictor import Predictor
from albertkit.tasks.classification import ClassificationTask, unit_logits
from albertkit.training.roles import Role, role_outputs
from albertkit.training.splits import Splits


def validation_temperature(
    predictor: Predictor, validation: Role, *, splits: Splits
) -> tuple[float | None, str | None]:
    """Return the temperature, or None and a sentence that says why there is none.

    Args:
        predictor: the network with its best weights.
        validation: the run's validation split, tokenised, with its features where the encoder is frozen.
        splits: of the run, to tell whether validation plays another role, too.

    Returns:
        `(None, None)` for a task whose outputs are not the probabilities of exclusive labels.
    """
    task = predictor.model.task
    if not isinstance(task, ClassificationTask) or task.name != "classification":
        return None, None
    dataset = validation.dataset
    # A temperature fitted on the scored examples would flatter the report, one on training examples the model.
    if dataset is splits.scored or dataset is splits.train:
        return None, "the probabilities are not calibrated: that takes a validation split of its own"
    if len(dataset) < LEAST_EXAMPLES:
        return None, (
            f"the probabilities are not calibrated: that takes {LEAST_EXAMPLES} validation examples, not {len(dataset)}"
        )
    outputs = role_outputs(predictor, validation)
    found = fit_temperature(
        unit_logits(outputs, validation.encoded),
        labels_true=task.targets(dataset.of(TextExample), num_labels=len(predictor.labels)),
    )
    if found is None:
        return None, (
            f"the probabilities are not calibrated: {dataset.split} asks for a temperature outside "
            f"{RANGE[0]:g} to {RANGE[1]:g} (the answers are all right, or no better than chance)"
        )
    return found, None
