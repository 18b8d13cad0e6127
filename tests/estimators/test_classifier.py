"""AlbertClassifier: what it learns, and scikit-learn's own tools around it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from tests.estimators.small import classifier, rows
from tests.tiny import keyword_folder

from albertkit.errors import UsageError
from albertkit.estimators import AlbertClassifier
from albertkit.estimators.inputs import InputError

# Most fits here are too short to learn anything, and say so.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def trained() -> AlbertClassifier:
    """Fitted on 240 rows."""
    texts, labels = rows(240)
    return classifier(epochs=10).fit(texts, labels)


@pytest.mark.learning
def test_it_learns(trained: AlbertClassifier) -> None:
    texts, labels = rows(60, seed=4)
    assert trained.score(texts, labels) > 0.9
    assert trained.classes_.tolist() == ["bad", "good"]
    assert trained.predict(["very splendid film", "the plot was boring"]).tolist() == ["good", "bad"]
    assert (trained.n_features_in_, trained.n_iter_) == (1, 10)
    assert [sorted(epoch) for epoch in trained.history_] == [["train", "validation"]] * 10
    assert trained.history_[-1]["validation"]["accuracy"] > 90


def test_probabilities_are_the_predictors(trained: AlbertClassifier) -> None:
    texts, _ = rows(9, seed=4)
    found = trained.predict_proba(texts)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-12)
    given = [list(row["probabilities"].values()) for row in trained.predictor_.predict(texts)]
    np.testing.assert_array_equal(found, given)
    assert (trained.classes_[found.argmax(axis=1)] == trained.predict(texts)).all()


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.setenv("ALBERTKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "temporary").mkdir()
    texts, labels = rows(24)
    classifier(epochs=1).fit(texts, labels).predict(texts)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["temporary"]
    with pytest.raises(UsageError, match=r"--max-length is 65, but .* has 64 positions"):
        classifier(max_length=65).fit(texts, labels)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["temporary"]


def test_same_state_same_numbers() -> None:
    texts, labels = rows(40)
    first, again, other = (
        classifier(epochs=1, random_state=state).fit(texts, labels).predict_proba(texts) for state in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-4
    drawn = [classifier(epochs=1, random_state=np.random.RandomState(3)).fit(texts, labels) for _ in range(2)]
    np.testing.assert_array_equal(drawn[0].predict_proba(texts), drawn[1].predict_proba(texts))


@pytest.mark.parametrize("names", [(7, 10), (False, True), ("10", "9"), (0.0, 1.0)], ids=str)
def test_classes_keep_their_kind(names: tuple[Any, Any]) -> None:
    texts, labels = rows(30)
    y = [names[label == "good"] for label in labels]
    fitted = classifier(epochs=1).fit(texts, y)
    assert fitted.classes_.tolist() == sorted(names)
    assert set(fitted.predict(texts).tolist()) <= set(names)
    assert fitted.predict(texts).dtype == np.array(y).dtype
    assert fitted.predictor_.labels == tuple(map(str, sorted(names)))


def test_many_classes_stay_in_order() -> None:
    texts, _ = rows(36)
    y = [number % 12 for number in range(36)]  # as words "10" would come before "9"
    fitted = classifier(epochs=1).fit(texts, y)
    assert fitted.classes_.tolist() == list(range(12))
    assert fitted.predict_proba(texts).shape == (36, 12)


def test_pairs() -> None:
    texts, labels = rows(60)
    pairs = [("it was", text) for text in texts]
    fitted = classifier(epochs=1).fit(np.array(pairs), labels)
    assert fitted.n_features_in_ == 2
    np.testing.assert_allclose(fitted.predict_proba(pairs), fitted.predict_proba(np.array(pairs)), atol=1e-6)
    with pytest.raises(
        InputError, match="X holds single texts, but this AlbertClassifier was fitted on pairs of texts"
    ):
        fitted.predict(texts)


def test_texts_after_texts(trained: AlbertClassifier) -> None:
    with pytest.raises(InputError, match="X holds pairs, but this AlbertClassifier was fitted on single texts"):
        trained.predict([("a", "b")])
    assert trained.predict([]).shape == (0,)
    assert trained.predict_proba([]).shape == (0, 2)


def test_weights_of_classes() -> None:
    texts, labels = rows(60)
    kept = [number for number, label in enumerate(labels) if label == "good" or number % 10 == 0]
    texts, y = [texts[number] for number in kept], [labels[number] == "good" for number in kept]
    settings = {"epochs": 1, "validation_fraction": 0}
    shares = {
        name: classifier(**settings, class_weight=weight).fit(texts, y).predict_proba(texts)[:, 0].mean()
        for name, weight in {"none": None, "balanced": "balanced", "by name": {False: 30 / 6}}.items()
    }
    assert shares["none"] < shares["balanced"]
    assert shares["none"] < shares["by name"]
    with pytest.raises(InputError, match=r"class_weight names the class 'bad', but y has \[False, True\]"):
        classifier(class_weight={"bad": 2}).fit(texts, y)
    with pytest.raises(UsageError, match='class-weights is "heavy"; it must be balanced'):
        classifier(class_weight="heavy").fit(texts, y)


def test_not_fitted() -> None:
    for call in ("predict", "predict_proba"):
        with pytest.raises(NotFittedError, match="AlbertClassifier instance is not fitted yet"):
            getattr(classifier(), call)(["a"])


def test_stuck_training_warns() -> None:
    texts, labels = rows(40)
    with pytest.warns(ConvergenceWarning, match=r"stuck at .* Try another learning_rate or random_state"):
        fitted = classifier(learning_rate=1e-9, epochs=3).fit(texts, labels)
    assert any("stuck" in note for note in fitted.notes_)


def test_cut_texts_are_counted() -> None:
    texts, labels = rows(40)
    fitted = classifier(epochs=1, max_length=6).fit(texts, labels)
    assert any(note.startswith("train: ") and "exceed 6 tokens (longest " in note for note in fitted.notes_)
    assert fitted.predictor_.model.max_length == 6


def test_frozen_keeps_the_encoder() -> None:
    texts, labels = rows(40)
    fitted = classifier(frozen=True).fit(texts, labels)
    from albertkit.models.pretrained import load_model

    before = load_model(keyword_folder()).network.encoder.state_dict()
    after = fitted.predictor_.model.network.encoder.state_dict()
    assert all((before[name] == after[name]).all() for name in before)


@pytest.mark.parametrize("settings", [{"epochs": 40, "learning_rate": 1e-9}, {"frozen": True, "epochs": None}])
def test_without_rows_held_out_training_goes_to_its_last_epoch(settings: dict[str, Any]) -> None:
    fitted = classifier(validation_fraction=0, **settings).fit(*rows(16))
    assert fitted.n_iter_ == (settings["epochs"] or 100)


def test_clone_and_settings() -> None:
    estimator = classifier(frozen=True)
    copy = clone(estimator).set_params(epochs=9)
    assert is_classifier(estimator)
    assert {**estimator.get_params(), "epochs": 9} == copy.get_params()
    assert "class_weight" in copy.get_params()


def test_settings_of_numpys_kinds() -> None:
    texts, labels = rows(24)
    found = [
        classifier(epochs=kind(1), max_length=kind(16), random_state=kind(5)).fit(texts, labels).predict_proba(texts)
        for kind in (int, np.int64)
    ]
    np.testing.assert_array_equal(*found)


def test_pipeline_and_cross_validation() -> None:
    texts, labels = rows(60)
    pipeline = make_pipeline(FunctionTransformer(lambda texts: [text.upper() for text in texts]), classifier(epochs=1))
    scores = cross_val_score(pipeline, texts, labels, cv=2, error_score="raise")
    assert scores.shape == (2,)


def test_grid_search() -> None:
    texts, labels = rows(120)
    search = GridSearchCV(classifier(epochs=8), {"learning_rate": [1e-7, 1e-2]}, cv=2, error_score="raise")
    with pytest.warns(ConvergenceWarning):  # the first rate learns nothing
        search.fit(texts, labels)
    assert search.best_params_ == {"learning_rate": 1e-2}
    assert search.predict(["a splendid film"]).shape == (1,)


@pytest.mark.slow
def test_grid_search_in_processes() -> None:
    texts, labels = rows(60)
    grid = {"epochs": [1, 2]}
    alone, together = (
        GridSearchCV(classifier(epochs=1), grid, cv=2, n_jobs=jobs, error_score="raise").fit(texts, labels)
        for jobs in (1, 2)
    )
    np.testing.assert_array_equal(alone.cv_results_["mean_test_score"], together.cv_results_["mean_test_score"])


def test_calibrated() -> None:
    texts, labels = rows(90)
    fitted = CalibratedClassifierCV(classifier(epochs=2), cv=2).fit(texts, labels)
    assert fitted.predict_proba(texts[:3]).shape == (3, 2)


@pytest.fixture
def few_shot_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALBERTKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("albertkit.training.few_shot.contrastive.STEPS", 8)


@pytest.mark.usefixtures("few_shot_cache")
def test_few_rows_are_trained_by_cross_validation() -> None:
    texts, labels = rows(40)
    fitted = AlbertClassifier(str(keyword_folder()), max_length=32, threads=1).fit(texts, labels)
    (why,) = (note for note in fitted.notes_ if note.startswith("few-shot training: "))
    assert "in 5-fold cross-validation" in why
    assert fitted.n_iter_ == 1
    assert set(fitted.history_[0]) == {"train", "validation"}
    assert fitted.history_[0]["train"]["accuracy"] == pytest.approx(100 * fitted.score(texts, labels))
    assert fitted.classes_.tolist() == ["bad", "good"]
    assert not any("--few-shot" in note for note in fitted.notes_)


@pytest.mark.parametrize(
    ("counts", "settings", "few"),
    [
        ((99, 99), {}, True),
        ((100, 100), {}, False),
        ((5, 500, 90), {}, True),  # the median class
        ((50, 1), {}, False),  # one row cannot be cross-validated
        ((9, 9), {"epochs": 2}, False),
        ((9, 9), {"frozen": True}, False),
        ((9, 9), {"strategy": "finetune"}, False),
        ((900, 900), {"strategy": "few-shot"}, True),
    ],
    ids=str,
)
def test_the_strategy(counts: tuple[int, ...], settings: dict[str, Any], few: bool) -> None:
    assert AlbertClassifier(**settings)._is_few_shot(np.arange(len(counts)), np.array(counts)) is few


def test_strategies_that_cannot_be() -> None:
    texts, labels = rows(24)
    with pytest.raises(
        UsageError, match=r"strategy is 'few_shot'; it must be auto, finetune or few-shot; did you mean"
    ):
        classifier(strategy="few_shot").fit(texts, labels)
    with pytest.raises(
        UsageError, match=r'strategy="few-shot" does not take epochs, learning_rate, batch_size: it finds'
    ):
        classifier(strategy="few-shot").fit(texts, labels)
    names = ["a"] * 8 + ["b"] * 8 + ["c"]
    with pytest.raises(InputError, match="the class 'c' has one row; few-shot training needs two of each class"):
        AlbertClassifier(str(keyword_folder()), strategy="few-shot").fit(texts[:17], names)
