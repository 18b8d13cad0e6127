"""The head that scores an option, and the loss over the options of a question."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from albertkit.batching.batch import IntArray
from albertkit.config import AlbertConfig
from albertkit.tasks.classification.head import build_head
from albertkit.tasks.head_spec import LINEAR, HeadSpec
from albertkit.tasks.objective import Objective


class ChoiceObjective(Objective):
    """One number for each sequence; cross entropy over those of a unit."""

    reads = "sequences"

    def build(self, config: AlbertConfig, num_outputs: int, spec: HeadSpec = LINEAR) -> nn.Module:
        """Return dropout and a linear map to one number.

        Raises:
            UsageError: hidden widths or a norm were asked for.
        """
        spec.require_linear("the head of a multiple choice is linear")
        return build_head(spec.width(config.hidden_size), num_outputs, dropout=config.classifier_dropout_prob)

    def losses_of(self, rows: Tensor, *, lengths: IntArray, counts: IntArray, targets: Tensor) -> Tensor:
        """Return -log of the right option's share, `[units]`, in nats; questions may differ in their number of options.

        Args:
            rows: scores, `[sequences, 1]`.
            lengths: not looked at.
            counts: options of each question, `[units]`.
            targets: number of the right one, `[units]`.

        >>> import numpy as np
        >>> scores = torch.zeros(5, 1)
        >>> counts, right = np.array([2, 3]), torch.tensor([0, 2])
        >>> [round(loss, 4) for loss in MULTIPLE_CHOICE.losses_of(
        ...     scores, lengths=np.ones(5, int), counts=counts, targets=right).tolist()]
        [0.6931, 1.0986]
        """
        del lengths
        scores = rows[:, 0].float()
        sizes = torch.from_numpy(counts).to(scores.device)
        starts = sizes.cumsum(0) - sizes
        unit = torch.repeat_interleave(torch.arange(len(sizes), device=scores.device), sizes, output_size=len(scores))
        column = torch.arange(len(scores), device=scores.device) - starts[unit]
        table = scores.new_full((len(sizes), int(counts.max())), float("-inf"))
        table = table.index_put((unit, column), scores)
        return nn.functional.cross_entropy(table, targets, reduction="none")


MULTIPLE_CHOICE = ChoiceObjective()
