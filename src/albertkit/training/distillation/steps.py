"""One optimizer step of a distillation, and the scores of held-out texts."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from albertkit.data.pretraining.batches import PretrainingBatch
from albertkit.hardware.device import Execution
from albertkit.tasks.distillation.objective import DistillLosses, DistillObjective, total_loss
from albertkit.training.distillation.batches import DistillBatches
from albertkit.training.distillation.settings import DistillSettings
from albertkit.training.processes import Processes
from albertkit.training.shares import Shares
from albertkit.training.state import TokenState


@dataclass(frozen=True)
class DistillScores:
    """Means over texts; None where masked words and sentence order are not trained."""

    vector_cosine: float
    """Of the mean vector, mapped, and the teacher's, in [-1, 1]."""
    relation_error: float
    """Mean squared difference of the cosines between two texts: of the mean vectors, mapped, and of the teacher's."""
    pooler_vector_cosine: float
    """The same of the pooler's output, through a map that is not kept."""
    pooler_relation_error: float
    """Of the pooler's output itself."""
    mlm_loss: float | None = None
    """Nats per masked position."""
    mlm_accuracy: float | None = None
    """On 0-100."""
    sop_loss: float | None = None
    """Nats per pair."""
    sop_accuracy: float | None = None
    """On 0-100."""

    def to_dict(self) -> dict[str, float]:
        """Return JSON-ready values, without those that are None."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class DistillStep:
    """One optimizer step that was just made, or refused because a number was not finite."""

    scores: DistillScores
    """Before the update."""
    loss: float
    learning_rate: float
    gradient_norm: float
    """Before clipping."""
    texts: int
    tokens: int
    seconds: float

    @property
    def is_finite(self) -> bool:
        """Whether the weights were updated."""
        return math.isfinite(self.loss) and math.isfinite(self.gradient_norm)


def train_step(
    objective: DistillObjective,
    optimizer: torch.optim.Optimizer,
    batch: tuple[PretrainingBatch, Tensor],
    settings: DistillSettings,
    *,
    learning_rate: float,
    execution: Execution,
    shares: Shares,
    seed: int,
) -> DistillStep:
    """Make one step on a batch. Weights stay as they are when loss or gradient is not finite.

    Args:
        objective: network and maps, training.
        optimizer: updates their parameters.
        batch: texts, and the teacher's vectors.
        settings: weights of the losses, and the longest gradient.
        learning_rate: learning rate of this step; each group of the optimizer multiplies it with its `rate_factor`.
        execution: device and precision.
        shares: who encodes the texts, which are then compared with each other.
        seed: random seed of dropout in this step.
    """
    started = time.perf_counter()
    texts, teacher = batch
    for group in optimizer.param_groups:
        group["lr"] = learning_rate * group["rate_factor"]
    parts = [part for start in range(shares.count) if len(part := np.arange(start, len(texts.batch), shares.count))]
    teacher = teacher[np.concatenate(parts)].to(execution.torch_device)

    def encode(number: int, part: npt.NDArray[np.int64]) -> list[Tensor]:
        if shares.workers == 1:  # several workers train encoders without dropout
            torch.manual_seed((seed + number * 1_000_000_007) % 2**63)
        with execution.autocast():
            return objective.encode(texts if len(parts) == 1 else texts.take(part))

    def compare(*encoded: Tensor) -> tuple[Tensor, tuple[DistillLosses, Tensor]]:
        losses = objective.losses(encoded, teacher, texts)
        loss = total_loss(
            losses,
            relation_weight=settings.relation_weight,
            pooler_weight=settings.pooler_weight,
            pretraining_weight=settings.pretraining_weight,
        )
        return loss, (losses, loss)

    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    losses, loss = shares.gradients_through(
        encode,
        parts,
        compare,
        parameters,
        tensors=2 + objective.with_pretraining,
        device=execution.torch_device,
    )
    norm = float(torch.nn.utils.clip_grad_norm_(parameters, settings.clip_norm or math.inf))
    sums = _Sums()
    sums.add(losses, texts=len(texts.batch))
    step = DistillStep(
        scores=sums.means(),
        loss=float(loss.detach()),
        learning_rate=learning_rate,
        gradient_norm=norm,
        texts=len(texts.batch),
        tokens=texts.batch.tokens,
        seconds=time.perf_counter() - started,
    )
    if step.is_finite:
        optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return step


def step_event(state: TokenState[DistillStep], step: DistillStep) -> dict[str, Any]:
    """Return the event of a step that the state has already counted."""
    return {
        "event": "step",
        "step": state.step,
        "training_tokens": state.tokens,
        "loss": round(step.loss, 5),
        **{name: round(value, 5) for name, value in step.scores.to_dict().items()},
        "texts": step.texts,
        "tokens": step.tokens,
        "learning_rate": step.learning_rate,
        "gradient_norm": round(step.gradient_norm, 4),
        "seconds": round(step.seconds, 4),
    }


def step_info(step: DistillStep) -> str:
    """Return what the bar shows of a step."""
    return f"loss {step.loss:.3f}, cosine {step.scores.vector_cosine:.3f}, {step.tokens / step.seconds:,.0f} tokens/s"


def held_out_scores(
    objective: DistillObjective,
    *,
    plain: DistillBatches,
    masked: DistillBatches | None,
    execution: Execution,
    processes: Processes,
) -> DistillScores:
    """Score texts without training, shared among the processes.

    Args:
        objective: network and maps.
        plain: the texts as `embed` sees them: their vectors are scored.
        masked: the same texts masked and divided, where masked words and sentence order are scored.
        execution: device and precision.
        processes: those that score together.
    """
    device = execution.torch_device
    vectors = _scored(objective, plain.in_order(processes.share), execution=execution, with_pretraining=False)
    vectors.add_up(processes, device)
    if masked is None:
        return vectors.means()
    heads = _scored(objective, masked.in_order(processes.share), execution=execution, with_pretraining=True)
    heads.add_up(processes, device)
    vectors.heads, vectors.masked, vectors.pairs = heads.heads, heads.masked, heads.pairs
    return vectors.means()


def _scored(
    objective: DistillObjective,
    batches: Iterable[tuple[PretrainingBatch, Tensor]],
    *,
    execution: Execution,
    with_pretraining: bool,
) -> _Sums:
    was_training, trained = objective.training, objective.with_pretraining
    objective.eval()
    objective.with_pretraining = with_pretraining
    sums = _Sums()
    with torch.no_grad(), execution.autocast():
        for batch, teacher in batches:
            sums.add(objective(batch, teacher.to(execution.torch_device)), texts=len(batch.batch))
    objective.train(was_training)
    objective.with_pretraining = trained
    return sums


class _Sums:
    """Losses of several batches, to divide by what they are of."""

    def __init__(self) -> None:
        self.vectors = [0.0] * 4
        self.texts = 0
        self.heads = [0.0] * 4
        self.masked: int | None = None
        self.pairs: int | None = None

    def add(self, losses: DistillLosses, *, texts: int) -> None:
        mean, pooler = losses.vectors["mean"], losses.vectors["pooler"]
        # What `embed` gives: the mean through its map, which is part of the model, and the pooler's output as it is.
        four = mean.cosine, mean.mapped_relation, pooler.cosine, pooler.relation
        parts = [float(value.detach()) for value in four]
        self.vectors = [total + texts * part for total, part in zip(self.vectors, parts, strict=True)]
        self.texts += texts
        if losses.pretraining is not None:
            *values, masked, pairs = losses.pretraining
            self.heads = [total + float(value.detach()) for total, value in zip(self.heads, values, strict=True)]
            self.masked, self.pairs = (self.masked or 0) + masked, (self.pairs or 0) + pairs

    def add_up(self, processes: Processes, device: torch.device) -> None:
        """Add what the other processes scored."""
        counts = self.texts, self.masked or 0, self.pairs or 0
        *sums, texts, masked, pairs = processes.sums([*self.vectors, *self.heads, *counts], device=device)
        self.vectors, self.heads, self.texts = sums[:4], sums[4:], int(texts)
        if masked or pairs:
            self.masked, self.pairs = int(masked), int(pairs)

    def means(self) -> DistillScores:
        cosine, relation, pooler_cosine, pooler_relation = (total / max(self.texts, 1) for total in self.vectors)
        scores = DistillScores(cosine, relation, pooler_cosine, pooler_relation)
        if self.masked is None or self.pairs is None:
            return scores
        mlm, sop, mlm_correct, sop_correct = self.heads
        masked, pairs = max(self.masked, 1), max(self.pairs, 1)
        return replace(
            scores,
            mlm_loss=mlm / masked,
            mlm_accuracy=100 * mlm_correct / masked,
            sop_loss=sop / pairs,
            sop_accuracy=100 * sop_correct / pairs,
        )
