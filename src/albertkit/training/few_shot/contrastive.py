"""Contrastive pairs: train the encoder until texts with the same label are nearer than texts with different labels.

As SetFit (Tunstall et al. 2022, arXiv 2209.11055), with two differences that save time: a step encodes some texts once
and compares every pair among them, and the loss is CoSENT's, which asks for the order of the pairs only.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from albertkit.batching.batch import IntArray
from albertkit.batching.cutting import cut_by_tokens
from albertkit.checkpoints.dense import Dense
from albertkit.hardware.device import Execution
from albertkit.tasks.encoded import Encoded
from albertkit.tasks.network import Network
from albertkit.tasks.objective import Objective, mean_by_unit
from albertkit.tasks.similarity.head import SimilarityHead, cosent_losses
from albertkit.training.loop import HeadTraining, Step, StepPlan, TextInputs, train_steps
from albertkit.training.optimizers import build_optimizer
from albertkit.training.schedules import Schedule

TEXTS = 16
"""Texts of a step, of at least two labels; with 16 there are 120 pairs."""
STEPS = 100
"""The most steps of one training."""
TOKENS = 12_000
"""About how many tokens one training reads: six of albert-nano (five folds, then all rows) take 40 s per core."""
LEAST_STEPS = 8
RATE, NANO_RATE = 2e-5, 2e-4
"""Learning rates: SetFit's own, and ten times it for networks of nano's size."""
NANO_WIDTH = 256
_WARMUP = 0.1


class ContrastObjective(Objective):
    """The loss of a step: every pair of its units, weighed against all others."""

    sees_whole_step = True

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
        """Return the vectors of the units and the step's loss, the same for every unit.

        Args:
            head: brings vectors to length 1.
            states: `[sequences, hidden]`.
            lengths: not read.
            counts: sequences of each unit.
            targets: number of each unit's label.
            segments: not read.
        """
        del lengths, segments
        assert isinstance(head, SimilarityHead)
        vectors = head(mean_by_unit(states, counts))
        left, right = torch.triu_indices(len(vectors), len(vectors), offset=1, device=vectors.device)
        cosines = (vectors[left] * vectors[right]).sum(dim=1)
        loss = cosent_losses(cosines, (targets[left] == targets[right]).float(), scale=float(head.scale))
        return vectors, loss[0].expand(len(vectors))


def drawn_units(targets: npt.NDArray[np.int64], *, seed: int, step: int) -> IntArray:
    """Return the numbers of a step's units: as many of each drawn label as `TEXTS` has room for, two or more.

    A function of seed and step, so pairs are never held in memory.

    >>> drawn_units(np.array([0, 0, 1, 1, 1]), seed=1, step=0).tolist()
    [0, 1, 2, 3, 4]

    Args:
        targets: number of each unit's label.
        seed: random seed of the run.
        step: step number, from 0.
    """
    random = np.random.RandomState((seed * 1_000_003 + step) % 2**32)
    there = np.unique(targets)
    labels = np.sort(random.permutation(there)[: TEXTS // 2])
    share = max(TEXTS // len(labels), 2)
    parts = [random.permutation(np.flatnonzero(targets == label))[:share] for label in labels]
    return np.sort(np.concatenate(parts)).astype(np.int64)


def planned_steps(encoded: Encoded) -> int:
    """Return how many steps one training makes: fewer where texts are long."""
    per_step = max(float(encoded.lengths.mean()) * TEXTS, 1.0)
    return int(min(STEPS, max(LEAST_STEPS, TOKENS / per_step)))


def contrast_steps(
    network: Network,
    encoded: Encoded,
    targets: npt.NDArray[np.int64],
    *,
    units: IntArray,
    pooling: str,
    execution: Execution,
    steps: int,
    batch_tokens: int,
    seed: int,
    dense: Dense | None = None,
) -> Iterator[Step]:
    """Train the layers of `network` on pairs of some units; word embeddings stay, since few texts hold few words.

    Args:
        network: its encoder is changed.
        encoded: all units.
        targets: number of each unit's label.
        units: numbers of those to train on.
        pooling: what a text's vector is.
        execution: device and precision.
        steps: optimizer steps.
        batch_tokens: the most tokens of one forward pass.
        seed: random seed of the pairs and of dropout.
        dense: map of the vectors.

    Yields:
        Each step that was made.

    Raises:
        RunError: the loss is not a finite number.
    """
    network.train()
    network.encoder.requires_grad_(True)
    network.encoder.embeddings.word.requires_grad_(False)
    peak = NANO_RATE if network.config.hidden_size <= NANO_WIDTH else RATE
    rate = Schedule("linear", peak=peak, total_steps=steps, warmup_steps=max(int(steps * _WARMUP), 1))

    def plan(step: int) -> list[list[IntArray]]:  # an epoch is one step
        drawn = units[drawn_units(targets[units], seed=seed, step=step)]
        passes = cut_by_tokens(encoded.lengths[drawn], max_tokens=batch_tokens)
        return [[drawn[indices] for indices in passes]]

    device = execution.torch_device
    inputs = TextInputs(network, encoded, execution=execution, pooling=pooling)
    yield from train_steps(
        HeadTraining(inputs, SimilarityHead(dense).to(device), ContrastObjective(), targets, device),
        build_optimizer("adamw", [network.encoder], weight_decay=0.01),
        StepPlan(plan, rate, steps, clip_norm=1.0, seed=seed),
    )
    network.eval()
    network.encoder.requires_grad_(True)
