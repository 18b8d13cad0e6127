"""Flipped labels are found."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from albertkit.auditing.label_errors import label_errors, out_of_fold
from albertkit.errors import MissingExtraError

WORDS = (("good", "great", "fine"), ("bad", "poor", "dull"))


def rows(count: int = 120) -> tuple[np.ndarray, list[str], np.ndarray]:
    random = np.random.default_rng(4)
    labels = np.arange(count) % 2
    vectors = (labels[:, None] * 2.0 - 1 + random.normal(size=(count, 4)) / 4).astype(np.float32)
    texts = [" ".join(random.choice(WORDS[label], size=3)) for label in labels]
    return vectors, texts, labels.astype(np.int64)


def test_flipped_labels_are_found_with_the_right_suggestion() -> None:
    pytest.importorskip("cleanlab", reason="cleanlab is not installed")
    vectors, texts, labels = rows()
    noisy = labels.copy()
    noisy[[5, 40, 77]] = 1 - noisy[[5, 40, 77]]
    found = label_errors(vectors, texts, noisy, seed=1)
    # Confident learning keeps what is less probable than its class is on average, so one of three may stay.
    assert {one.row for one in found} <= {5, 40, 77}
    assert len(found) >= 2
    assert all(one.suggested == labels[one.row] and one.probability < 0.5 for one in found)
    assert [one.probability for one in found] == sorted(one.probability for one in found)


def test_rows_of_labels_that_occur_once_are_left_out() -> None:
    pytest.importorskip("cleanlab", reason="cleanlab is not installed")
    vectors, texts, labels = rows(40)
    labels[0] = 7  # the only one
    assert 0 not in {one.row for one in label_errors(vectors, texts, labels, seed=1)}
    assert label_errors(vectors[:3], texts[:3], np.array([0, 1, 2]), seed=1) == []


def test_no_row_is_judged_by_itself() -> None:
    vectors, texts, labels = rows(40)
    before = out_of_fold(vectors, texts, labels, seed=1)
    np.testing.assert_allclose(before.sum(axis=1), 1, atol=1e-6)
    assert (before.argmax(axis=1) == labels).all()


def test_without_cleanlab_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cleanlab.filter", None)
    with pytest.raises(MissingExtraError, match=r"albertkit\[audit\]"):
        label_errors(*rows(), seed=1)
