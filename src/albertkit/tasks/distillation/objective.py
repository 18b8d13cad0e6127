"""DistillObjective: how far a student's two vectors of each text are from the teacher's.

Letters: texts n, hidden H, dimensions of the teacher D.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from albertkit.data.pretraining.batches import PretrainingBatch
from albertkit.tasks.network import Network
from albertkit.tasks.pooling import pooled_features
from albertkit.tasks.pretraining.objective import PretrainingLosses, pretraining_losses

VECTORS = ("mean", "pooler")
"""The poolings whose vectors are trained."""


class VectorLosses(NamedTuple):
    """Of one pooling; scalars."""

    cosine: Tensor
    """Mean cosine of the mapped vector and the teacher's, in [-1, 1]."""
    relation: Tensor
    """`relation_error` of the vector itself: it is trained."""
    mapped_relation: Tensor
    """That of the mapped vector."""


class DistillLosses(NamedTuple):
    """Of one batch."""

    vectors: dict[str, VectorLosses]
    """By pooling."""
    pretraining: PretrainingLosses | None
    """Of masked words and sentence order; None where they are not trained."""


class DistillObjective(nn.Module):
    """The network, and a linear map of each of its vectors into the teacher's space.

    Args:
        network: the student; with the heads `mlm` and `sop` where `with_pretraining`.
        dimensions: dimensions of the teacher's vectors.
        with_pretraining: whether batches are masked and ordered, and scored for it.
    """

    def __init__(self, network: Network, *, dimensions: int, with_pretraining: bool) -> None:
        super().__init__()
        self.network = network
        self.maps = nn.ModuleDict({name: nn.Linear(network.config.hidden_size, dimensions) for name in VECTORS})
        self.with_pretraining = with_pretraining

    def forward(self, batch: PretrainingBatch, teacher: Float[Tensor, "texts dimensions"]) -> DistillLosses:
        """Encode a batch and compare with the teacher's vectors.

        Args:
            batch: the texts, `[n]`.
            teacher: their vectors, `[n, D]`, of length 1, in fp32.
        """
        return self.losses(self.encode(batch), teacher, batch)

    def encode(self, batch: PretrainingBatch) -> list[Tensor]:
        """Return the texts' vectors of each pooling, `[n, H]`, and where they are trained, `[1, 4]` sums of the heads.

        Rows of several parts of a batch may follow each other; those of the heads add up.
        """
        encoded = self.network(batch.batch)
        with torch.autocast(encoded.pooled_output.device.type, enabled=False):
            found = [pooled_features(encoded, pooling=name).float() for name in self.maps]
        if self.with_pretraining:
            heads = pretraining_losses(self.network, encoded, batch)
            found.append(torch.stack([value.float() for value in heads[:4]])[None])
        return found

    def losses(self, encoded: Sequence[Tensor], teacher: Tensor, batch: PretrainingBatch) -> DistillLosses:
        """Compare what `encode` gave with the teacher's vectors.

        Args:
            encoded: the rows of all texts.
            teacher: their vectors, `[n, D]`, of length 1, in fp32.
            batch: all texts, whose masks and orders count.
        """
        vectors = {}
        with torch.autocast(teacher.device.type, enabled=False):
            for (name, to_teacher), own in zip(self.maps.items(), encoded, strict=False):  # own: n H
                mapped = to_teacher(own)  # n D
                cosines = F.cosine_similarity(mapped, teacher, dim=1)
                relations = relation_error(own, teacher), relation_error(mapped.detach(), teacher)
                vectors[name] = VectorLosses(cosines.mean(), *relations)
        pretraining = None
        if self.with_pretraining:
            mlm, sop, mlm_correct, sop_correct = encoded[-1].sum(0).unbind()
            counts = len(batch.masked_ids), batch.num_ordered
            pretraining = PretrainingLosses(mlm, sop, mlm_correct, sop_correct, *counts)
        return DistillLosses(vectors, pretraining)


def relation_error(own: Float[Tensor, "texts hidden"], teacher: Float[Tensor, "texts dimensions"]) -> Float[Tensor, ""]:
    """Return the mean squared difference of the cosines that each two texts of a batch have in the two spaces.

    >>> own = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    >>> relation_error(own, torch.tensor([[1.0], [1.0]])).item(), relation_error(own[:1], own[:1]).item()
    (1.0, 0.0)

    Args:
        own: `[n, H]`, of any length.
        teacher: `[n, D]`, of length 1.
    """
    unit = F.normalize(own, dim=1)
    squares = (unit @ unit.T - teacher @ teacher.T).fill_diagonal_(0).square()
    pairs = len(own) * (len(own) - 1)
    return squares.sum() / max(pairs, 1)


def total_loss(
    losses: DistillLosses, *, relation_weight: float, pooler_weight: float, pretraining_weight: float
) -> Tensor:
    """Return what is minimized: of each vector 1 - cosine and the relation error, and the mean losses of the heads.

    Args:
        losses: losses of one batch.
        relation_weight: weight of the relation error; that of 1 - cosine is 1.
        pooler_weight: weight of the pooler's vector; the mean's is 1.
        pretraining_weight: weight of the losses of masked words and sentence order.
    """
    mean, pooler = (
        1 - losses.vectors[name].cosine + relation_weight * losses.vectors[name].relation for name in VECTORS
    )
    loss = mean + pooler_weight * pooler
    heads = losses.pretraining
    if heads is not None:
        loss = loss + pretraining_weight * (heads.mlm / max(heads.masked, 1) + heads.sop / max(heads.sequences, 1))
    return loss
