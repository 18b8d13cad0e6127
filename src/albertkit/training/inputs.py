"""What the head of a fine-tuning reads at each step: texts through the encoder, every layer of it, or kept features."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from albertkit.batching.cutting import training_steps
from albertkit.inference.predictor import Predictor
from albertkit.tasks.objective import objective_of
from albertkit.training.exits import ExitInputs
from albertkit.training.loop import FeatureInputs, Inputs, TextInputs
from albertkit.training.roles import Role
from albertkit.training.settings import FinetuneSettings

Plan = Callable[[int], list[list[npt.NDArray[np.int64]]]]
"""Epoch -> its steps -> the passes of each -> numbers of the units in it."""


def inputs_of(predictor: Predictor, train: Role, settings: FinetuneSettings) -> tuple[Inputs, Plan]:
    """Return what gives the head its states, and the plan of an epoch's steps.

    Args:
        predictor: the model that is trained.
        train: the tokenised training split, with features where the encoder is frozen.
        settings: complete ones.
    """
    assert settings.batch_size is not None
    model = predictor.model
    assert model.task is not None
    if train.features is not None:
        lengths = np.ones(len(train.encoded), np.int64)
        inputs: Inputs = FeatureInputs(train.features.to(predictor.execution.torch_device), train.encoded)
        tokens = settings.batch_size
    elif settings.exits:
        lengths = train.encoded.lengths
        inputs = ExitInputs(model.network, train.encoded, execution=predictor.execution, pooling=model.head.pooling)
        tokens = settings.batch_tokens
    else:
        lengths = train.encoded.lengths
        reads = objective_of(model.task).reads
        inputs = TextInputs(
            model.network, train.encoded, execution=predictor.execution, reads=reads, pooling=model.head.pooling
        )
        tokens = settings.batch_tokens

    def plan(epoch: int) -> list[list[npt.NDArray[np.int64]]]:
        assert settings.batch_size is not None
        return training_steps(
            lengths, batch_size=settings.batch_size, batch_tokens=tokens, seed=settings.seed, epoch=epoch
        )

    return inputs, plan
