"""Measure the throughput of models in texts per second, briefly and side by side."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from albertkit.data.examples import TextExample
from albertkit.inference.predictor import Predictor

TEXTS = 512
"""Texts that are read, at most."""
TOGETHER = 64
"""Texts of one call."""
SECONDS = 3.0
"""After which no further call is made, of whatever model."""
PASSES = 5
"""Over all texts, at most: of several calls with the same texts the quickest counts."""


def texts_per_second(models: Sequence[Predictor], examples: Sequence[TextExample]) -> list[float]:
    """Return how many texts each model takes from text to answer per second.

    The models read the same texts in turn, so that other work on the machine slows all of them.

    Args:
        models: the models to compare.
        examples: texts or pairs, at least one; some are drawn, always the same ones.
    """
    order = np.random.RandomState(0).permutation(len(examples))[:TEXTS]
    drawn = [examples[number] for number in order]
    chunks = [drawn[start : start + TOGETHER] for start in range(0, len(drawn), TOGETHER)]
    for model in models:
        model.logits(chunks[0][:2])  # the first call makes a copy of the weights that is quick to multiply with
    best: dict[int, list[float]] = {}
    started = time.perf_counter()
    for number in [*range(len(chunks))] * PASSES:
        times = [_seconds(model, chunks[number]) for model in models]
        best[number] = [min(pair) for pair in zip(times, best.get(number, times), strict=True)]
        if time.perf_counter() - started > SECONDS:
            break
    texts = sum(len(chunks[number]) for number in best)
    return [texts / sum(times[model] for times in best.values()) for model in range(len(models))]


def _seconds(model: Predictor, texts: Sequence[TextExample]) -> float:
    started = time.perf_counter()
    model.logits(texts)
    return max(time.perf_counter() - started, 1e-9)
