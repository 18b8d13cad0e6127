"""ALBERT as scikit-learn has its estimators: `AlbertClassifier`, `AlbertRegressor` and `AlbertEmbedder`."""

from __future__ import annotations

from albertkit.estimators.classifier import AlbertClassifier
from albertkit.estimators.embedder import AlbertEmbedder
from albertkit.estimators.regressor import AlbertRegressor

__all__ = ["AlbertClassifier", "AlbertEmbedder", "AlbertRegressor"]
