"""AlbertEmbedder: a scikit-learn transformer from texts to vectors."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin

from albertkit.estimators.fitting import on_threads
from albertkit.estimators.inputs import texts_of
from albertkit.estimators.text_estimator import TextEstimator
from albertkit.inference.predictor import Predictor
from albertkit.models.pretrained import load_model


# scikit-learn has no types.
class AlbertEmbedder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, TextEstimator):  # type: ignore[misc]
    """Gives each text a vector, for scikit-learn's own models to work on.

    Nothing is learned: `fit` only loads the model, so that later calls, and the pickle, have it; without `fit` every
    `transform` loads it again.

    Args:
        model: a known model, a model folder or a run directory.
        pooling: `mean` of the tokens' vectors, the first token's (`cls`), or the `pooler`'s output; if None what the
            model was trained with or its files declare, else `mean`. A Dense map that the files declare follows the
            declared pooling only.
        dimensions: size that vectors are cut to; the model must have been trained for it. All if None.
        max_length: longest input in tokens, longer texts are cut; as many as the model takes if None.
        threads: processor threads; torch's own choice if None.

    After `fit`: `predictor_`, what `albertkit.load` gives.

    >>> AlbertEmbedder().fit_transform(["a text", "another one"]).shape
    (2, 384)
    """

    def __init__(
        self,
        model: str | os.PathLike[str] = "albert-nano",
        *,
        pooling: str | None = None,
        dimensions: int | None = None,
        max_length: int | None = None,
        threads: int | None = None,
    ) -> None:
        self.model = model
        self.pooling = pooling
        self.dimensions = dimensions
        self.max_length = max_length
        self.threads = threads

    def fit(self, X: Any = None, y: Any = None) -> AlbertEmbedder:  # noqa: N803, ARG002 - scikit-learn's names
        """Load the model; X and y are not looked at.

        Raises:
            UsageError, CheckpointError: as `albertkit.load`.
        """
        self.predictor_ = self._load()
        return self

    def transform(self, X: Any) -> npt.NDArray[np.float32]:  # noqa: N803
        """Return a vector for each text, `[rows, dimensions]`.

        Args:
            X: texts `[rows]`: a list, array or Series, or a table of one column.

        Raises:
            InputError: (a ValueError) rows that are no texts.
            UsageError: an unknown pooling, dimensions that the model was not trained for, or a max_length beyond its
                positions.
        """
        texts = texts_of(X)
        predictor = getattr(self, "predictor_", None) or self._load()
        with on_threads(self.threads):
            vectors: npt.NDArray[np.float32] = predictor.embed(
                texts, pooling=self.pooling, dimensions=self.dimensions, max_length=self.max_length
            )
        return vectors

    def _load(self) -> Predictor:
        return Predictor(load_model(self.model))

    @property
    def _n_features_out(self) -> int:
        """Width of the vectors: scikit-learn names the columns of its tables by it."""
        return int(self.dimensions or self.predictor_.dimensions(self.pooling))

    def __sklearn_tags__(self) -> Any:
        """Return tags that say that the estimator needs no fit."""
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags
