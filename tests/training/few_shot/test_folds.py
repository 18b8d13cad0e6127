"""Stratified folds."""

from __future__ import annotations

import numpy as np
import pytest

from albertkit.training.few_shot.folds import stratified_folds


@pytest.mark.parametrize("counts", [(8, 8), (3, 40), (2, 2, 2), (64, 64, 64, 64)], ids=str)
def test_every_row_is_held_out_once_and_every_label_trains_in_every_fold(counts: tuple[int, ...]) -> None:
    targets = np.random.RandomState(1).permutation(np.repeat(np.arange(len(counts)), counts))
    folds = stratified_folds(targets, seed=5)
    assert len(folds) == min(5, *counts)
    assert sorted(np.concatenate(folds).tolist()) == list(range(sum(counts)))
    sizes = [len(fold) for fold in folds]
    assert max(sizes) - min(sizes) <= 1
    for fold in folds:
        held = np.bincount(targets[fold], minlength=len(counts))
        for label, count in enumerate(counts):
            assert count // len(folds) <= held[label] <= -(-count // len(folds))  # as evenly as it can be
            assert held[label] < count


def test_the_seed_decides() -> None:
    targets = np.repeat([0, 1], 20)
    first, again, other = (stratified_folds(targets, seed=seed) for seed in (1, 1, 2))
    assert all((one == two).all() for one, two in zip(first, again, strict=True))
    assert any(len(one) != len(two) or (one != two).any() for one, two in zip(first, other, strict=True))
