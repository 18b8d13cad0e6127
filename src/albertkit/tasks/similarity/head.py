"""The vectors that are compared, and the losses that bring them near or apart."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from albertkit.batching.batch import IntArray
from albertkit.checkpoints.dense import Dense
from albertkit.config import AlbertConfig
from albertkit.tasks.head_spec import LINEAR, HeadSpec
from albertkit.tasks.objective import Objective
from albertkit.tasks.pooling import check_pooling

SCALE = 20.0
"""What cosines are multiplied by (a temperature of 0.05), as in SimCSE (Gao et al., 2021) and Su's CoSENT."""
BLOCK = 128
"""Pairs of a split that are weighed against each other when it is not trained on: a loss needs the square of them."""


class SimilarityHead(nn.Module):
    """Maps vectors where the model has a map, and brings them to length 1. It learns nothing; its scale is saved.

    Args:
        dense: the model's own map, kept as it is while the encoder learns: after two epochs of STS-B albert-nano has a
            Spearman of 81.7 so, and 76.3 on vectors without it.
    """

    scale: Tensor
    weight: Tensor
    bias: Tensor

    def __init__(self, dense: Dense | None = None) -> None:
        super().__init__()
        self.register_buffer("scale", torch.tensor([SCALE]))
        self.activation = None if dense is None else dense.activation
        if dense is not None:
            self.register_buffer("weight", torch.from_numpy(dense.weight), persistent=False)
            self.register_buffer("bias", torch.from_numpy(dense.bias), persistent=False)

    def forward(self, pooled: Float[Tensor, "sequences hidden"]) -> Float[Tensor, "sequences dimensions"]:
        """Return vectors of length 1, `[sequences, dimensions]`."""
        vectors = pooled.float()
        if self.activation is not None:
            vectors = F.linear(vectors, self.weight, self.bias)
            vectors = torch.tanh(vectors) if self.activation == "tanh" else vectors
        return F.normalize(vectors, dim=1)


class SimilarityObjective(Objective):
    """Two vectors a unit; every pair of a step is weighed against all others of that step."""

    sees_whole_step = True

    def build(self, config: AlbertConfig, num_outputs: int, spec: HeadSpec = LINEAR) -> nn.Module:
        """Return the head.

        Raises:
            UsageError: hidden widths or a norm were asked for, or a pooling that is not of one text.
        """
        del config, num_outputs
        spec.require_linear("similarity compares the vectors themselves")
        check_pooling(spec.pooling)
        return SimilarityHead(spec.dense)

    def losses_of(self, rows: Tensor, *, lengths: IntArray, counts: IntArray, targets: Tensor) -> Tensor:
        """Return the loss of each pair, `[pairs]`, blocks of at most `BLOCK` pairs being weighed together."""
        del lengths, counts
        texts, partners = rows[0::2], rows[1::2]
        blocks = [slice(start, start + BLOCK) for start in range(0, len(texts), BLOCK)]
        found = [pair_losses(texts[block], partners[block], targets=targets[block]) for block in blocks]
        return torch.cat(found) if found else rows.new_zeros(0)

    def losses(
        self,
        head: nn.Module,
        states: Tensor,
        *,
        lengths: IntArray,
        counts: IntArray,
        targets: Tensor,
        segments: IntArray | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return the vectors and the loss of each pair, all of them being weighed together."""
        del counts
        rows = self.outputs(head, states, lengths=lengths, segments=segments)
        return rows, pair_losses(rows[0::2], rows[1::2], targets=targets, scale=float(head.scale))  # type: ignore[arg-type]


def pair_losses(
    texts: Float[Tensor, "pairs hidden"],
    partners: Float[Tensor, "pairs hidden"],
    *,
    targets: Tensor,
    scale: float = SCALE,
) -> Float[Tensor, " pairs"]:
    """Return each pair's loss by what `SimilarityTask.unit_targets` gave: `cosent_losses` or `in_batch_losses`."""
    if targets.is_floating_point():
        return cosent_losses((texts * partners).sum(dim=1), targets, scale=scale)
    return in_batch_losses(texts, partners, ids=targets, scale=scale)


def cosent_losses(
    cosines: Float[Tensor, " pairs"], numbers: Float[Tensor, " pairs"], *, scale: float = SCALE
) -> Float[Tensor, " pairs"]:
    """Return CoSENT's loss, the same for every pair: log(1 + sum of exp(scale * (cos_j - cos_i)) over y_i > y_j).

    It depends only on the order of the pairs, which is what Spearman's correlation measures. The scores may have any
    range. (J. Su, "CoSENT", 2022, https://kexue.fm/archives/8847.)

    >>> two = torch.tensor([0.5, 0.5])
    >>> [round(loss, 4) for loss in cosent_losses(two, torch.tensor([1.0, 0.0])).tolist()]
    [0.6931, 0.6931]
    """
    apart = scale * (cosines[None, :] - cosines[:, None])  # [i, j]: cos_j - cos_i
    wrong = apart[numbers[:, None] > numbers[None, :]]
    return torch.logsumexp(torch.cat([wrong.new_zeros(1), wrong]), dim=0).expand(len(cosines))


def in_batch_losses(
    texts: Float[Tensor, "pairs hidden"],
    partners: Float[Tensor, "pairs hidden"],
    *,
    ids: Int[Tensor, "pairs 2"],
    scale: float = SCALE,
) -> Float[Tensor, " pairs"]:
    """Return the cross entropy of each text's own partner among the partners of all (Henderson et al., 2017, 4.4).

    Args:
        texts: vectors of length 1.
        partners: vectors of length 1.
        ids: equal numbers for equal texts; another pair with the same text or the same partner is no wrong answer.
        scale: what cosines are multiplied by.

    >>> vectors = torch.eye(2)
    >>> ids = torch.tensor([[0, 1], [2, 3]])
    >>> [round(loss, 4) for loss in in_batch_losses(vectors, vectors, ids=ids, scale=1.0).tolist()]
    [0.3133, 0.3133]
    """
    cosines = scale * texts @ partners.T
    same = (ids[:, None] == ids[None, :]).any(dim=2)
    same.fill_diagonal_(False)
    own = torch.arange(len(texts), device=texts.device)
    return F.cross_entropy(cosines.masked_fill(same, float("-inf")), own, reduction="none")


SIMILARITY = SimilarityObjective()
