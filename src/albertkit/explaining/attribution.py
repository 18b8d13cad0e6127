"""Attribution: the scores of words, by captum; the mathematics is the library's, the reading of tokens is ours.

Both methods look at a vector of presence, 1 for a word that is there and 0 for one whose tokens are [MASK]. Words are
masked instead of removed: ALBERT was pretrained to read around [MASK], and every other word keeps its position.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from albertkit.batching.batch import Batch
from albertkit.batching.batch import Sequence as TokenSequence
from albertkit.errors import MissingExtraError
from albertkit.explaining.reading import Reading
from albertkit.inference.predictor import Predictor
from albertkit.inference.running import BATCH_TOKENS, run_outputs
from albertkit.tasks.classification import ClassificationTask, unit_logits
from albertkit.tasks.encoded import Encoded
from albertkit.tasks.objective import mean_by_unit, objective_of
from albertkit.tasks.pooling import head_states

STEPS = 32
"""Points on the way from the masked text to the whole one; more change the scores by less than a percent point."""


def _captum() -> Any:
    try:
        return importlib.import_module("captum.attr")
    except ImportError as error:
        raise MissingExtraError("captum", extra="explain", purpose="explaining a prediction") from error


def occlusion_scores(predictor: Predictor, reading: Reading, *, output: int) -> list[float]:
    """Return for each word how far the output falls when it is masked (captum's FeatureAblation), `[words]`.

    Args:
        predictor: the model.
        reading: the example.
        output: index of the label.

    Raises:
        MissingExtraError: captum is not installed.
    """
    attr = _captum()
    if not reading.words:
        return []
    mask_id = predictor.model.tokenizer.mask_id

    def forward(presence: Tensor) -> Tensor:  # [copies, words] -> [copies]
        sequences = [
            TokenSequence(
                np.where(present[owners] | (owners < 0), sequence.input_ids, mask_id), sequence.token_type_ids
            )
            for present in presence.numpy() > 0.5
            for sequence, owners in zip(reading.sequences, reading.owners, strict=True)
        ]
        return torch.from_numpy(output_values(predictor, _copies(sequences, len(presence)))[:, output])

    words = len(reading.words)
    found: Tensor = attr.FeatureAblation(forward).attribute(
        torch.ones(1, words), baselines=0, perturbations_per_eval=min(_copies_at_once(reading), words)
    )
    return [float(score) for score in found[0]]


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
    attr = _captum()
    if not reading.words:
        return []
    model = predictor.model
    task, network, device = model.task, model.network.in_evaluation_mode(copied=True), predictor.execution.torch_device
    assert isinstance(task, ClassificationTask)
    objective, head = objective_of(task), network.heads[task.head]
    owners = torch.from_numpy(np.concatenate(reading.owners)).to(device)
    words = network.encoder.embeddings.word

    def forward(presence: Tensor) -> Tensor:  # [copies, words] -> [copies]
        kept = presence[:, owners.clamp(min=0)].masked_fill(owners < 0, 1).reshape(-1, 1)  # copies * T, 1

        def fade(module: Any, given: Any, vectors: Tensor) -> Tensor:
            del module, given
            masked = words.weight[model.tokenizer.mask_id].detach()
            return torch.cat([vectors[: len(kept)].detach() * kept + masked * (1 - kept), vectors[len(kept) :]])

        encoded = _copies(reading.sequences * len(presence), len(presence))
        batch = Batch.pack(encoded.sequences)
        hook = words.register_forward_hook(fade)
        try:
            states = head_states(network(batch), reads=objective.reads, pooling=model.head.pooling)
        finally:
            hook.remove()
        rows = objective.outputs(head, states, lengths=batch.lengths, segments=batch.token_type_ids)
        return _values(task, mean_by_unit(rows, encoded.counts), output)

    with torch.enable_grad():
        present = torch.ones(1, len(reading.words), device=device)
        found: Tensor = attr.IntegratedGradients(forward).attribute(
            present, baselines=0, n_steps=STEPS, internal_batch_size=_copies_at_once(reading)
        )
    return [float(score) for score in found[0]]


METHODS: Mapping[str, Callable[..., list[float]]] = {"occlusion": occlusion_scores, "gradients": gradient_scores}


def output_values(predictor: Predictor, encoded: Encoded) -> npt.NDArray[np.float64]:
    """Return the labels' probabilities as `predict` has them, or the regression's value, `[units, outputs]`."""
    task = predictor.model.task
    assert isinstance(task, ClassificationTask)
    logits = unit_logits(run_outputs(predictor.runtime, encoded.sequences), encoded)
    if task.name == "regression":
        return logits.astype(np.float64)
    return task.probabilities(logits)


def _values(task: ClassificationTask, logits: Tensor, output: int) -> Tensor:
    """The same with gradients."""
    if task.name == "regression":
        return logits[:, 0]
    if task.name == "multilabel":
        return torch.sigmoid(logits[:, output])
    return torch.softmax(logits / (task.temperature or 1.0), dim=1)[:, output]


def whole_text(reading: Reading) -> Encoded:
    """Return the example as one unit."""
    return _copies(reading.sequences, 1)


def _copies(sequences: list[TokenSequence], copies: int) -> Encoded:
    each = len(sequences) // copies
    return Encoded(sequences, np.full(copies, each, np.int64), np.arange(copies, dtype=np.int64))


def _copies_at_once(reading: Reading) -> int:
    return max(1, BATCH_TOKENS // max(1, sum(len(sequence) for sequence in reading.sequences)))
