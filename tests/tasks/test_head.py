"""Heads: what batch normalization keeps for prediction."""

from __future__ import annotations

import torch

from albertkit.tasks.classification.head import DeepHead


def test_measured_statistics_equal_a_training_pass_over_everything() -> None:
    torch.manual_seed(0)
    head = DeepHead(7, 2, hidden=(5, 3), norm="batch")
    features = 4 + 0.01 * torch.randn(101, 7)  # a small spread around the mean: what running averages get wrong
    head.train()
    expected = head(features)  # normalized by the statistics of this very batch
    head.measure_statistics(features)
    assert all(module.training for module in head.modules())
    torch.testing.assert_close(head.eval()(features), expected, atol=1e-4, rtol=1e-4)
