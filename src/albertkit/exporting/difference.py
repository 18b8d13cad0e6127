"""Compare the outputs of an exported model with those of the torch network it was made from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from albertkit.batching.batch import Batch
from albertkit.batching.batch import Sequence as TokenSequence
from albertkit.hardware.device import Execution
from albertkit.inference.exported import VECTORS, ExportedRuntime
from albertkit.inference.predictor import Predictor
from albertkit.inference.pytorch import PyTorchRuntime
from albertkit.inference.running import Runtime
from albertkit.io.vectors import unit
from albertkit.models.loaded import Model

FloatArray = npt.NDArray[np.float32]
_WORDS = (
    "The export of a model is held to the model itself: a dozen texts of several lengths, alone and in pairs, go "
    "through both, and every number of every output is compared. What is off by more than rounding is not kept. "
    "Unfriendly words, 1,234 digits, (brackets) and accents like caf\u00e9 are among them, as in any text that people "
    "write, and so are questions: who wrote this, where is it kept, why is it short?"
).split()
_LENGTHS = (1, 3, 4, 9, 17, 30, 55, 140)
"""In words; the last is about 200 tokens and is cut where the model reads fewer."""
_MASKED = 1e29  # logits beyond it say that a token cannot be chosen


@dataclass(frozen=True)
class Difference:
    """Of one output."""

    output: str
    largest: float
    """The largest difference of two numbers."""
    share: float
    """The same, divided by the largest number where that is above 1."""


def sample(model: Model) -> list[TokenSequence]:
    """Return what is compared: eight texts and four pairs in the model's own tokens; only pairs for a head on pairs."""
    most = min(model.max_length, model.config.max_position_embeddings)
    words = _WORDS * 2
    texts = [" ".join(words[3 * k : 3 * k + length]) for k, length in enumerate(_LENGTHS)]
    firsts = [" ".join(words[k : k + 3 + 2 * k]) for k in range(4)]
    seconds = [" ".join(words[5 * k : 5 * k + 8 * k + 6]) for k in range(4)]
    tokenizer = model.tokenizer
    found = tokenizer.sequences(firsts, seconds, max_length=most)
    if model.head.pooling != "pair":
        found = [*tokenizer.sequences(texts, max_length=most), *found]
    shortest = 1 if model.task is None else model.task.fewest_tokens
    return [one for one in found if len(one) >= shortest]


def differences(model: Model, runtime: Runtime, *, execution: Execution, vectors: bool = False) -> list[Difference]:
    """Compare every output of the exported model with torch in fp32.

    Args:
        model: the original.
        runtime: the exported one.
        execution: for the original: the processor, fp32.
        vectors: whether the exported one also gives the vectors of `embed`.
    """
    outputs = ["sequence_output", "pooled_output", *(["logits"] if model.task is not None else [])]
    batch = Batch.pack(sample(model))
    original = PyTorchRuntime(model.network, execution=execution, task=model.task, pooling=model.head.pooling)
    expected = original.run(batch, outputs=outputs)
    if vectors:
        outputs.append(VECTORS)
        pooled = original.run(batch, outputs=[model.vectors.pooling])[model.vectors.pooling]
        predictor = Predictor(model, execution=execution, runtime=original)
        expected[VECTORS] = predictor.vectors_from(pooled, pooling=model.vectors.pooling)
    found = runtime.run(batch, outputs=outputs)
    return [_difference(name, expected[name], found[name]) for name in outputs]


def vector_cosine(model: Model, runtime: Runtime, *, execution: Execution) -> float:
    """Return the mean cosine of the exported model's vectors of the sample with those of torch in fp32.

    Args:
        model: the original.
        runtime: the exported one.
        execution: for the original: the processor, fp32.
    """
    original = PyTorchRuntime(model.network, execution=execution, task=model.task, pooling=model.head.pooling)
    batch, pooling = Batch.pack(sample(model)), model.vectors.pooling
    one, other = (
        unit(
            Predictor(model, execution=execution, runtime=each).vectors_from(
                each.run(batch, outputs=[pooling])[pooling], pooling=pooling
            )
        )
        for each in (original, ExportedRuntime(runtime))
    )
    return float((one * other).sum(axis=-1).mean())


def _difference(output: str, expected: FloatArray, found: FloatArray) -> Difference:
    chosen = np.abs(expected) < _MASKED
    apart = np.abs(expected.astype(np.float64) - found)[chosen]
    largest = float(apart.max(initial=0.0))
    return Difference(output, largest, largest / max(1.0, float(np.abs(expected[chosen]).max(initial=0.0))))
