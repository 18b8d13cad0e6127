"""Matryoshka dimensions: the loss, the scores per size, and what is saved."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats
from tests.tasks.similarity.test_similarity import GRADED, TRIPLETS, unit_rows

from albertkit.errors import UsageError
from albertkit.tasks.objective import objective_of
from albertkit.tasks.saved import saved_settings, with_saved_settings
from albertkit.tasks.similarity import SIMILARITY
from albertkit.tasks.similarity.head import SimilarityHead, in_batch_losses
from albertkit.text.tokenizer import Tokenizer

CUT = replace(SIMILARITY, dimensions=(2, 5))


def test_the_loss_is_the_mean_over_the_sizes() -> None:
    encoded = SIMILARITY.encode(Tokenizer.official(), TRIPLETS, max_length=9)
    targets = torch.tensor(SIMILARITY.unit_targets(encoded, TRIPLETS, num_labels=0))
    states = torch.tensor(unit_rows(9)) * 3
    rows, losses = objective_of(CUT).losses(
        SimilarityHead(), states, lengths=encoded.lengths, counts=encoded.counts, targets=targets
    )
    assert rows.shape == (9, 7)
    expected = []
    for size in (2, 5, 7):
        vectors = states[:, :size] / states[:, :size].norm(dim=1, keepdim=True)
        expected.append(in_batch_losses(vectors.view(3, 3, size), ids=targets))
    torch.testing.assert_close(losses, torch.stack(expected).mean(dim=0))
    whole = objective_of(CUT).losses_of(rows, lengths=encoded.lengths, counts=encoded.counts, targets=targets)
    torch.testing.assert_close(whole, losses)


def test_scores_per_size() -> None:
    encoded = SIMILARITY.encode(Tokenizer.official(), GRADED, max_length=9)
    outputs = unit_rows(6)
    found = CUT.score_outputs(list(outputs), encoded, GRADED, metrics=("pearson", "spearman")).metrics
    assert list(found) == ["pearson", "spearman", "spearman/2", "spearman/5"]
    for size, name in ((2, "spearman/2"), (5, "spearman/5"), (7, "spearman")):
        vectors = outputs[:, :size] / np.linalg.norm(outputs[:, :size], axis=1, keepdims=True)
        cosines = (vectors[0::2] * vectors[1::2]).sum(axis=1)
        expected = stats.spearmanr(cosines, [example.label for example in GRADED]).statistic
        assert found[name] == pytest.approx(100 * expected)
    encoded = SIMILARITY.encode(Tokenizer.official(), TRIPLETS, max_length=9)
    found = CUT.score_outputs(list(unit_rows(9)), encoded, TRIPLETS, metrics=("spearman",)).metrics
    assert {"nearest/accuracy/2", "triplet/accuracy/5"} < set(found)


def test_task_json_keeps_them() -> None:
    assert saved_settings(SIMILARITY) == {}
    assert saved_settings(CUT) == {"dimensions": [2, 5]}
    assert with_saved_settings(SIMILARITY, {"dimensions": [2, 5]}) == CUT
    for wrong in ([0], ["2"], 2, [True]):
        with pytest.raises(UsageError, match="not a list of whole numbers above 0"):
            with_saved_settings(SIMILARITY, {"dimensions": wrong})
