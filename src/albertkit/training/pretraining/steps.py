"""One optimizer step of pretraining: passes and processes added up, losses weighted by what they predict."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from albertkit.data.pretraining.batches import PretrainingBatch
from albertkit.data.pretraining.stream import PendingBatch
from albertkit.hardware.device import Execution
from albertkit.tasks.pretraining.objective import PretrainingLosses
from albertkit.training.processes import Processes
from albertkit.training.shares import Shares


@dataclass(frozen=True)
class PretrainScores:
    """Means over all that was predicted; accuracies on 0-100."""

    mlm_loss: float
    """Nats a masked position."""
    mlm_accuracy: float
    sop_loss: float
    """Nats a pair."""
    sop_accuracy: float
    masked: int
    """Masked positions."""
    sequences: int
    tokens: int

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return asdict(self)


@dataclass(frozen=True)
class PretrainStep:
    """One optimizer step that was just made, or refused because a number was not finite."""

    scores: PretrainScores
    """Of all processes, before the update."""
    learning_rate: float
    gradient_norm: float
    """Before clipping."""
    seconds: float

    @property
    def tokens(self) -> int:
        """Tokens that were trained on."""
        return self.scores.tokens


def train_step(
    objective: nn.Module,
    optimizer: torch.optim.Optimizer,
    pending: Sequence[PendingBatch],
    *,
    learning_rate: float,
    clip_norm: float,
    execution: Execution,
    shares: Shares,
    seed: int,
) -> PretrainStep:
    """Make one step on the batches of all processes and their workers.

    Both losses are divided by what all processes predict in this step, so neither the number of passes nor that of
    processes changes the gradient. Weights stay as they are when loss or gradient is not finite.

    Args:
        objective: `PretrainingObjective`.
        optimizer: updates its parameters.
        pending: the batches of the step, the same list in every process.
        learning_rate: learning rate of this step.
        clip_norm: longest gradient; 0 does not clip.
        execution: device and precision.
        shares: who computes the batches.
        seed: random seed of dropout in this step.
    """
    started = time.perf_counter()
    own = [(number, batch.build()) for number, batch in shares.own(pending)]
    batches = [batch for _, batch in own]
    processes, device = shares.processes, execution.torch_device
    masked, sequences = processes.sums(
        [sum(len(batch.masked_ids) for batch in batches), sum(len(batch.swapped) for batch in batches)], device=device
    )
    for group in optimizer.param_groups:
        group["lr"] = learning_rate

    def loss_of(number: int, batch: PretrainingBatch) -> tuple[Tensor, Tensor]:
        if shares.workers == 1:  # several workers train encoders without dropout
            torch.manual_seed((seed * 1_009 + number) % 2**63)
        with execution.autocast():
            losses: PretrainingLosses = objective(batch)
        # The divisors count what all processes predict.
        loss = losses.mlm / max(masked, 1) + losses.sop / max(sequences, 1)
        return loss, torch.stack([value.detach().double() for value in losses[:4]])

    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    totals = torch.stack(shares.gradients(loss_of, own, parameters)).sum(0)
    norm = float(torch.nn.utils.clip_grad_norm_(parameters, clip_norm or math.inf))
    *sums, tokens = processes.sums([*totals.tolist(), sum(batch.batch.tokens for batch in batches)], device=device)
    if math.isfinite(norm) and math.isfinite(sums[0]):
        optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    scores = means(sums, masked=int(masked), sequences=int(sequences), tokens=int(tokens))
    return PretrainStep(scores, learning_rate, norm, time.perf_counter() - started)


def held_out_scores(
    objective: nn.Module,
    batches: Sequence[PendingBatch] | Sequence[PretrainingBatch],
    *,
    execution: Execution,
    processes: Processes,
) -> PretrainScores:
    """Score batches without training, shared among the processes."""
    was_training = objective.training
    objective.eval()
    sums = [0.0] * 7
    with torch.no_grad(), execution.autocast():
        for entry in processes.share(batches):
            batch = entry.build() if isinstance(entry, PendingBatch) else entry
            losses = objective(batch)
            for number, value in enumerate((*losses, batch.batch.tokens)):
                sums[number] += float(value)
    objective.train(was_training)
    *totals, masked, sequences, tokens = processes.sums(sums, device=execution.torch_device)
    return means(totals, masked=int(masked), sequences=int(sequences), tokens=int(tokens))


def means(sums: Sequence[float], *, masked: int, sequences: int, tokens: int) -> PretrainScores:
    """Return means of the sums (mlm, sop, mlm_correct, sop_correct)."""
    mlm, sop, mlm_correct, sop_correct = sums
    return PretrainScores(
        mlm_loss=mlm / max(masked, 1),
        mlm_accuracy=100 * mlm_correct / max(masked, 1),
        sop_loss=sop / max(sequences, 1),
        sop_accuracy=100 * sop_correct / max(sequences, 1),
        masked=masked,
        sequences=sequences,
        tokens=tokens,
    )
