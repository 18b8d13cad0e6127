"""scikit-learn's own checks of an estimator, which know only numbers: here numbers are made into texts.

`check_estimator` runs none of them on estimators of texts. So the estimators below read a row of numbers as a row of
words, and say that they take tables. Nothing is checked there about numbers, infinities or widths of tables
(`no_validation`): texts have none of them, and `test_inputs.py` has what replaces them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.utils.estimator_checks import check_estimator
from tests.estimators.small import SETTINGS
from tests.tiny import FILLER, tiny_folder

from albertkit.data.examples import TextExample
from albertkit.estimators import AlbertClassifier, AlbertEmbedder, AlbertRegressor
from albertkit.estimators.inputs import examples_of as read_examples


def words_of(X: Any) -> list[str]:  # noqa: N803 - scikit-learn's name
    """One word a number; near numbers are the same word."""
    if hasattr(X, "tocsr"):
        read_examples(X)  # refuses it
    table = np.atleast_2d(np.asarray(X))
    return [" ".join(FILLER[round(float(value) * 2) % len(FILLER)] for value in row) for row in table]


class OnNumbers:
    """Says that X is a table of numbers."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()  # type: ignore[misc]
        tags.input_tags.two_d_array, tags.input_tags.one_d_array, tags.input_tags.string = True, False, False
        tags.no_validation = True
        return tags


class Classifier(OnNumbers, AlbertClassifier):
    """The classifier on numbers."""


class Regressor(OnNumbers, AlbertRegressor):
    """The regressor on numbers."""


class Embedder(OnNumbers, AlbertEmbedder):
    """The transformer on numbers."""


EXPECTED = {
    "check_classifiers_train": "asks for 83 % right, which one epoch of the tiny network does not reach",
    "check_regressors_train": "asks for an R2 of 0.5, which one epoch of the tiny network does not reach",
    "check_estimator_sparse_tag": "of the embedder: `fit` does not look at X, so it refuses nothing",
    "check_transformer_preserve_dtypes": "texts have no dtype to keep: vectors are float32",
}
"""Check -> why it cannot pass."""


@pytest.fixture(autouse=True)
def _numbers_are_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def examples_of(X: Any) -> list[TextExample]:  # noqa: N803
        return [TextExample(text) for text in words_of(X)]

    for module in ("classifier", "regressor", "trained"):
        monkeypatch.setattr(f"albertkit.estimators.{module}.examples_of", examples_of)
    monkeypatch.setattr("albertkit.estimators.embedder.texts_of", words_of)


ESTIMATORS = {
    "classifier": lambda: Classifier(str(tiny_folder()), **{**SETTINGS, "epochs": 1}),
    "regressor": lambda: Regressor(str(tiny_folder()), **{**SETTINGS, "epochs": 1}),
    "embedder": lambda: Embedder(str(tiny_folder()), max_length=32, threads=1),
}


def failures(estimator: Any, *, legacy: bool) -> dict[str, str]:
    """Checks that failed otherwise than expected, with their errors."""
    found = check_estimator(estimator, legacy=legacy, expected_failed_checks=EXPECTED, on_skip=None, on_fail=None)
    assert len([entry for entry in found if entry["status"] == "passed"]) > (30 if legacy else 13)
    return {entry["check_name"]: repr(entry["exception"]) for entry in found if entry["status"] == "failed"}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", ESTIMATORS)
def test_the_interface_is_scikit_learns(name: str) -> None:
    assert failures(ESTIMATORS[name](), legacy=False) == {}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", ESTIMATORS)
def test_all_checks(name: str) -> None:
    assert failures(ESTIMATORS[name](), legacy=True) == {}
