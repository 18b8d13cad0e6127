"""The head of tags: dropout and one linear map of each token's last hidden state, and its loss."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from albertkit.batching.batch import IntArray
from albertkit.config import AlbertConfig
from albertkit.tasks.classification.head import build_head
from albertkit.tasks.head_spec import LINEAR, HeadSpec
from albertkit.tasks.objective import Objective
from albertkit.tasks.token_classification import IGNORED


class TagObjective(Objective):
    """A linear head on tokens; the same function as transformers' AlbertForTokenClassification."""

    reads = "tokens"

    def build(self, config: AlbertConfig, num_outputs: int, spec: HeadSpec = LINEAR) -> nn.Module:
        """Return a fresh linear head with the configuration's `classifier_dropout_prob`.

        Args:
            config: configuration of the encoder.
            num_outputs: number of tags.
            spec: a linear head; deep ones are for classifiers.

        Raises:
            UsageError: a deep head, or a norm, is asked for.
        """
        spec.require_linear("the head of tags is linear")
        return build_head(config.hidden_size, num_outputs, dropout=config.classifier_dropout_prob)

    def losses_of(self, rows: Tensor, *, lengths: IntArray, counts: IntArray, targets: Tensor) -> Tensor:
        """Return the mean cross entropy (nats) over each window's labelled tokens; 0 for a window without any.

        Args:
            rows: logits, `[tokens, labels]`.
            lengths: tokens of each sequence, `[sequences]`.
            counts: sequences of each unit, `[units]`.
            targets: label of each token, `IGNORED` where it has none, `[tokens]`.

        >>> import numpy as np
        >>> logits, targets = torch.tensor([[0.0, 9.0], [0.0, 0.0]]), torch.tensor([-100, 1])
        >>> found = TAGS.losses_of(logits, lengths=np.array([2]), counts=np.array([1]), targets=targets)
        >>> round(found.item(), 4)
        0.6931
        """
        losses = F.cross_entropy(rows.float(), targets, ignore_index=IGNORED, reduction="none")  # [tokens]
        # Both are small and known here, so no wait for the device.
        sequences = torch.repeat_interleave(torch.arange(len(counts)), torch.from_numpy(counts))  # [sequences]
        units = torch.repeat_interleave(sequences, torch.from_numpy(lengths)).to(rows.device)  # [tokens]
        sums = losses.new_zeros(len(counts)).index_add(0, units, losses)
        labelled = losses.new_zeros(len(counts)).index_add(0, units, (targets != IGNORED).to(losses.dtype))
        return sums / labelled.clamp(min=1)


TAGS = TagObjective()
