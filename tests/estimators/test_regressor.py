"""AlbertRegressor: numbers of any size."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import is_regressor
from sklearn.exceptions import NotFittedError
from sklearn.metrics import r2_score
from tests.estimators.small import regressor, rows

from albertkit.estimators.inputs import InputError

# Most fits here are too short to learn anything, and say so.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.learning
def test_it_learns() -> None:
    texts, labels = rows(240)
    numbers = [4.0 if label == "good" else 1.0 for label in labels]
    fitted = regressor().fit(texts, numbers)
    assert is_regressor(fitted)
    found = fitted.predict(texts)
    assert found.shape == (240,)
    assert found.dtype == np.float64
    assert fitted.score(texts, numbers) == pytest.approx(r2_score(numbers, found))
    assert fitted.score(texts, numbers) > 0.7


def test_scale_does_not_matter() -> None:
    texts, labels = rows(60)
    numbers = np.array([label == "good" for label in labels], float) + np.arange(60) / 60
    small = regressor(epochs=2).fit(texts, numbers)
    large = regressor(epochs=2).fit(texts, 1e6 * numbers - 3e5)
    np.testing.assert_allclose(large.predict(texts), 1e6 * small.predict(texts) - 3e5, rtol=1e-4)


def test_the_predictor_gives_the_same_numbers() -> None:
    texts, _ = rows(24)
    fitted = regressor(epochs=1).fit(texts, range(100, 124))
    given = [row["value"] for row in fitted.predictor_.predict(texts)]
    np.testing.assert_allclose(fitted.predict(texts), given)
    assert 100 < np.mean(given) < 124


def test_one_number_alone() -> None:
    texts, _ = rows(24)
    fitted = regressor(epochs=1, validation_fraction=0).fit(texts, [3.0] * 24)
    assert np.isfinite(fitted.predict(texts)).all()


def test_what_cannot_be() -> None:
    texts, labels = rows(8)
    with pytest.raises(NotFittedError, match="AlbertRegressor instance is not fitted yet"):
        regressor().predict(texts)
    with pytest.raises(InputError, match="y must hold numbers"):
        regressor().fit(texts, labels)
