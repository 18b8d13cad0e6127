"""The head against scikit-learn's own pipeline on the same features."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from albertkit.checkpoints.dense import Dense
from albertkit.training.few_shot.linear import fit_linear


def rows(labels: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.RandomState(seed)
    targets = np.repeat(np.arange(labels), 11)
    centres = random.randn(labels, 7)
    return (3 + 0.5 * (centres[targets] + random.randn(len(targets), 7))).astype(np.float32), targets


@pytest.mark.parametrize("labels", [2, 4])
def test_behind_a_map_it_is_the_head_of_the_mapped_features(labels: int) -> None:
    features, targets = rows(labels)
    random = np.random.RandomState(5)
    dense = Dense(random.randn(9, 7).astype(np.float32), random.randn(9).astype(np.float32))
    mapped = fit_linear(dense(features), targets, num_labels=labels, strength=0.01)
    behind = mapped.after(dense)
    assert behind.weight.shape == (labels, 7)
    np.testing.assert_allclose(behind(features), mapped(dense(features)), rtol=0, atol=1e-4)


@pytest.mark.parametrize("labels", [2, 3, 5])
@pytest.mark.parametrize("strength", [1e-3, 1.0])
def test_it_says_what_scikit_learn_says_of_scaled_features(labels: int, strength: float) -> None:
    features, targets = rows(labels)
    head = fit_linear(features, targets, num_labels=labels, strength=strength)
    scale = features.astype(np.float64).std(axis=0).mean()
    scaled = (features - features.astype(np.float64).mean(axis=0)) / scale
    reference = LogisticRegression(C=strength, max_iter=1000).fit(scaled, targets)
    logits = head(features).astype(np.float64)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shares, reference.predict_proba(scaled), atol=1e-5)
    assert head.weight.shape == (labels, 7)
    assert head.bias.shape == (labels,)


def test_weights_of_labels_count_as_rows() -> None:
    features, targets = rows(2)
    doubled = np.concatenate([features, features[targets == 1]]), np.concatenate([targets, targets[targets == 1]])
    weighted = fit_linear(features, targets, num_labels=2, strength=0.1, weights=np.array([1, 2], np.float32))
    plain = fit_linear(*doubled, num_labels=2, strength=0.1)
    # The centre and scale differ by the rows that are there twice, so only the direction of the shift is compared.
    unweighted = fit_linear(features, targets, num_labels=2, strength=0.1)
    share = [float((head(features) @ [-1, 1]).mean()) for head in (unweighted, weighted, plain)]
    assert share[0] < share[1]
    assert share[1] == pytest.approx(share[2], rel=0.2)


def test_equal_features_are_no_error() -> None:
    head = fit_linear(np.ones((4, 3), np.float32), np.array([0, 0, 0, 1]), num_labels=2, strength=1.0)
    logits = head(np.ones((1, 3), np.float32))[0]
    assert np.isfinite(logits).all()
    assert logits[0] > logits[1]  # the commoner label
