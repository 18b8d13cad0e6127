"""PretrainingObjective: masked pieces and sentence order, as sums, so that passes and processes can be added up."""

from __future__ import annotations

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from albertkit.data.pretraining.batches import UNORDERED, PretrainingBatch
from albertkit.encoder.encoder import EncoderOutput
from albertkit.encoder.kernels import distinct_rows, on_device
from albertkit.tasks.network import Network
from albertkit.tasks.pretraining.cross_entropy import masked_cross_entropy


class PretrainingLosses(NamedTuple):
    """Sums over one batch; scalars."""

    mlm: Tensor
    """Cross-entropy of the masked positions, summed."""
    sop: Tensor
    """Cross-entropy of the sentence orders, summed."""
    mlm_correct: Tensor
    """Masked positions whose piece was the first choice."""
    sop_correct: Tensor
    """Pairs whose order was found."""
    masked: int
    sequences: int


class PretrainingObjective(nn.Module):
    """The network with its two heads, from a batch to losses.

    Args:
        network: with the heads `mlm` and `sop`.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: PretrainingBatch) -> PretrainingLosses:
        """Encode a batch and compare with what was masked and swapped."""
        return pretraining_losses(self.network, self.network(batch.batch), batch)


def pretraining_losses(network: Network, encoded: EncoderOutput, batch: PretrainingBatch) -> PretrainingLosses:
    """Compare what a network made of a batch with what was masked and swapped.

    Args:
        network: with the heads `mlm` and `sop`.
        encoded: its output for `batch.batch`.
        batch: the masks and orders.
    """
    device = network.encoder.pooler.weight.device
    positions, targets, swapped = (
        on_device(array, device) for array in (batch.masked_positions, batch.masked_ids, batch.swapped)
    )
    head = network.mlm_head
    mlm, mlm_correct = masked_cross_entropy(
        head.transform(distinct_rows(encoded.sequence_output, positions)),
        network.encoder.embeddings.word.weight,
        head.bias,
        targets,
    )
    order = network.heads["sop"](encoded.pooled_output).float()
    return PretrainingLosses(
        mlm,
        F.cross_entropy(order, swapped, reduction="sum", ignore_index=UNORDERED),
        mlm_correct,
        (order.argmax(1) == swapped).sum(),
        len(targets),
        batch.num_ordered,
    )
