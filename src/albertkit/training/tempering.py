"""Fit the temperature of a trained classifier on its validation split, which its training did not see."""

from __future__ import annotations

import torch

from albertkit.evaluation.temperature import LEAST_EXAMPLES, RANGE, fit_temperature
from albertkit.predictor import Predictor
from albertkit.tasks.classification import ClassificationTask, unit_logits
from albertkit.training.probe import cached_features
from albertkit.training.roles import Role, role_outputs
from albertkit.training.settings import FinetuneSettings
from albertkit.training.splits import Splits


def validation_temperature(
    predictor: Predictor, splits: Splits, settings: FinetuneSettings
) -> tuple[float | None, str | None]:
    """Return the temperature, or None and a sentence that says why there is none.

    Args:
        predictor: the network with its best weights.
        splits: of the run; only validation is looked at.
        settings: of the run.

    Returns:
        `(None, None)` for a task whose outputs are not the probabilities of exclusive labels.
    """
    task = predictor.model.task
    if not isinstance(task, ClassificationTask) or task.name != "classification":
        return None, None
    dataset = splits.validation
    # A temperature fitted on the scored examples would flatter the report, one on training examples the model.
    if dataset is splits.scored or dataset is splits.train:
        return None, "the probabilities are not calibrated: that takes a validation split of its own"
    if len(dataset) < LEAST_EXAMPLES:
        return None, (
            f"the probabilities are not calibrated: that takes {LEAST_EXAMPLES} validation examples, not {len(dataset)}"
        )
    encoded = predictor.encode(dataset.examples)
    features = None
    if settings.freeze_encoder:  # they lie in the cache
        array, _ = cached_features(predictor, encoded.sequences, pooling=predictor.model.head.pooling)
        features = torch.from_numpy(array)
    targets = task.unit_targets(encoded, dataset.examples, num_labels=len(predictor.labels))
    outputs = role_outputs(predictor, Role(dataset, encoded, targets, features))
    found = fit_temperature(
        unit_logits(outputs, encoded), labels_true=task.targets(dataset.examples, num_labels=len(predictor.labels))
    )
    if found is None:
        return None, (
            f"the probabilities are not calibrated: {dataset.split} asks for a temperature outside "
            f"{RANGE[0]:g} to {RANGE[1]:g} (the answers are all right, or no better than chance)"
        )
    return found, None
