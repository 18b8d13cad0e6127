"""Estimators on the tiny network, and texts that they can learn."""

from __future__ import annotations

from typing import Any

from tests.tiny import SEED, THREADS, keyword_folder, keyword_rows

from albertkit.estimators import AlbertClassifier, AlbertRegressor

SETTINGS: dict[str, Any] = {
    "epochs": 5,
    "learning_rate": 1e-2,
    "batch_size": 16,
    "max_length": 32,
    "threads": THREADS,
    "random_state": 12345 + SEED,
}


def classifier(**changes: Any) -> AlbertClassifier:
    """A classifier of the tiny network."""
    return AlbertClassifier(str(keyword_folder()), **{**SETTINGS, **changes})


def regressor(**changes: Any) -> AlbertRegressor:
    """A regressor of the tiny network."""
    return AlbertRegressor(str(keyword_folder()), **{**SETTINGS, **changes})


def rows(count: int = 120, *, seed: int = 3) -> tuple[list[str], list[str]]:
    """Texts and their labels, `good` or `bad`."""
    texts, labels = zip(*keyword_rows(count, seed=seed), strict=True)
    return list(texts), list(labels)
