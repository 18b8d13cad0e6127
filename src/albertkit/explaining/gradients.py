"""Gradients: the scores of words by captum's integrated gradients; the reading of tokens is ours.

They look at a vector of presence, 1 for a word that is there and 0 for one whose tokens are [MASK].
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import torch
from torch import Tensor

from albertkit.batching.batch import Batch
from albertkit.errors import MissingExtraError
from albertkit.explaining.explanation import Explanation
from albertkit.explaining.reading import Reading, output_values, require_labels
from albertkit.inference.predictor import Predictor
from albertkit.inference.running import BATCH_TOKENS, run_outputs
from albertkit.tasks.classification import ClassificationTask
from albertkit.tasks.objective import mean_by_unit, objective_of
from albertkit.tasks.pooling import head_states

STEPS = 32
"""Points on the way from the masked text to the whole one; more change the scores by less than a percent point."""


def by_gradients(predictor: Predictor, reading: Reading, *, label: str | None) -> Explanation:
    """Return the explanation of a text, at a cost that does not grow with the number of words.

    Args:
        predictor: the model.
        reading: reading of the text.
        label: whose probability is explained; the most probable one where it is None.

    Raises:
        MissingExtraError: captum is not installed.
    """
    task, labels = require_labels(predictor), predictor.labels
    rows = run_outputs(predictor.runtime, reading.sequences)
    (values,) = output_values(task, rows, each=len(reading.sequences))
    output = int(values.argmax()) if label is None else labels.index(label)
    scores = gradient_scores(predictor, reading, output=output)
    named = None if task.name == "regression" else labels[output]
    return Explanation.of(reading, scores, label=named, method="gradients", base=float(values[output]))


def gradient_scores(predictor: Predictor, reading: Reading, *, output: int) -> list[float]:
    """Return each word's integrated gradient (Sundararajan et al. 2017) of the output, `[words]`.

    The way goes from the text with every word masked to the whole text, in the space of the word embeddings; the scores
    add up to the difference of the outputs at its ends.

    Args:
        predictor: the model.
        reading: the example.
        output: index of the label.

    Raises:
        MissingExtraError: captum is not installed.
    """
    try:
        attr: Any = importlib.import_module("captum.attr")
    except ImportError as error:
        raise MissingExtraError("captum", extra="explain", purpose="an explanation by gradients") from error
    if not reading.words:
        return []
    model, task = predictor.model, require_labels(predictor)
    network, device = model.network.in_evaluation_mode(copied=True), predictor.execution.torch_device
    objective, head = objective_of(task), network.heads[task.head]
    owners = torch.from_numpy(np.concatenate(reading.owners)).to(device)
    words = network.encoder.embeddings.word

    def forward(presence: Tensor) -> Tensor:  # [copies, words] -> [copies]
        kept = presence[:, owners.clamp(min=0)].masked_fill(owners < 0, 1).reshape(-1, 1)  # copies * T, 1

        def fade(module: Any, given: Any, vectors: Tensor) -> Tensor:
            del module, given
            masked = words.weight[model.tokenizer.mask_id].detach()
            return torch.cat([vectors[: len(kept)].detach() * kept + masked * (1 - kept), vectors[len(kept) :]])

        batch = Batch.pack(reading.sequences * len(presence))
        hook = words.register_forward_hook(fade)
        try:
            states = head_states(network(batch), reads=objective.reads, pooling=model.head.pooling)
        finally:
            hook.remove()
        rows = objective.outputs(head, states, lengths=batch.lengths, segments=batch.token_type_ids)
        return _values(task, mean_by_unit(rows, np.full(len(presence), len(reading.sequences), np.int64)), output)

    with torch.enable_grad():
        present = torch.ones(1, len(reading.words), device=device)
        found: Tensor = attr.IntegratedGradients(forward).attribute(
            present, baselines=0, n_steps=STEPS, internal_batch_size=_copies_at_once(reading)
        )
    return [float(score) for score in found[0]]


def _values(task: ClassificationTask, logits: Tensor, output: int) -> Tensor:
    """Return what `output_values` computes, of one output and with gradients."""
    if task.name == "regression":
        return logits[:, 0]
    if task.name == "multilabel":
        return torch.sigmoid(logits[:, output])
    return torch.softmax(logits / (task.temperature or 1.0), dim=1)[:, output]


def _copies_at_once(reading: Reading) -> int:
    return max(1, BATCH_TOKENS // max(1, sum(map(len, reading.sequences))))
