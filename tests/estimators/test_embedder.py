"""AlbertEmbedder: vectors for scikit-learn's own models."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tests.estimators.small import rows
from tests.tiny import tiny_folder

import albertkit
from albertkit.errors import UsageError
from albertkit.estimators import AlbertEmbedder
from albertkit.estimators.inputs import InputError


def embedder(**changes: object) -> AlbertEmbedder:
    """Of the tiny network."""
    return AlbertEmbedder(str(tiny_folder()), threads=1, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("pooling", ["mean", "cls", "pooler"])
def test_vectors_are_the_predictors(pooling: str) -> None:
    texts, _ = rows(9)
    found = embedder(pooling=pooling).fit_transform(texts)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, albertkit.load(tiny_folder()).embed(texts, pooling=pooling))


def test_fit_learns_nothing() -> None:
    texts, _ = rows(9)
    np.testing.assert_array_equal(embedder().transform(texts), embedder().fit(["another"]).transform(texts))
    assert not hasattr(embedder(), "predictor_")


def test_longest_input() -> None:
    text = "the plot " * 10
    assert np.abs(embedder(max_length=8).transform([text]) - embedder().transform([text])).max() > 1e-3
    with pytest.raises(UsageError, match="the max length is 65"):
        embedder(max_length=65).transform([text])


def test_in_a_pipeline() -> None:
    texts, labels = rows(60)
    pipeline = make_pipeline(embedder(), StandardScaler(), LogisticRegression())
    assert cross_val_score(pipeline, texts, labels, cv=3, error_score="raise").shape == (3,)
    again = pickle.loads(pickle.dumps(pipeline.fit(texts, labels)))
    np.testing.assert_array_equal(again.predict_proba(texts), pipeline.predict_proba(texts))


def test_names_of_the_columns() -> None:
    names = embedder().fit().get_feature_names_out()
    assert len(names) == 16
    assert names[0] == "albertembedder0"


def test_tables_of_vectors() -> None:
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"review": ["a", "b"]}, index=[7, 9])
    found = embedder().set_output(transform="pandas").fit_transform(table)
    assert found.index.tolist() == [7, 9]
    assert found.shape == (2, 16)
    pandas.testing.assert_frame_equal(  # a column is the table of it; before scikit-learn 1.8 its index is forgotten
        embedder().set_output(transform="pandas").fit_transform(table["review"]).set_axis([7, 9]), found
    )


def test_settings_and_refusals() -> None:
    assert clone(embedder(pooling="cls")).get_params()["pooling"] == "cls"
    assert embedder().transform([]).shape == (0, 16)
    with pytest.raises(InputError, match="X holds pairs"):
        embedder().transform([("a", "b")])
    with pytest.raises(UsageError, match='unknown pooling "mena"; did you mean "mean"'):
        embedder(pooling="mena").transform(["a"])
